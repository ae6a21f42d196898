//! Prompts with groups of alternatives: `a man with [blonde|brown|black] hair`.
//!
//! One or two groups make a grid. `[[` and `]]` are literal brackets, `\|` is a literal bar
//! inside a group, and an alternative may be empty.

use crate::{Error, Result};

/// Most cells of a sweep: beyond it a person has mistyped.
pub(super) const MAX_CELLS: usize = 256;

/// A parsed prompt: the product of its groups gives the cells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sweep {
    /// The prompt as typed.
    pub template: String,
    /// The alternatives of each group: the first group runs over the columns when it is alone,
    /// over the rows when there are two.
    pub axes: Vec<Vec<String>>,
    /// Cells row by row.
    pub cells: Vec<Cell>,
}

/// One picture of the grid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    /// Row from 0.
    pub row: usize,
    /// Column from 0.
    pub column: usize,
    /// The alternative taken from each group.
    pub words: Vec<String>,
    /// The prompt with its groups resolved.
    pub prompt: String,
}

/// A stretch of the template.
enum Part {
    Text(String),
    Group(Vec<String>),
}

impl Sweep {
    /// Parses a prompt that must have one or two groups.
    ///
    /// # Errors
    /// When the template has no group or more than two, a bracket without its partner, a group in a
    /// group or with a single alternative, or more cells than are drawn at once.
    pub fn parse(template: &str) -> Result<Self> {
        let parts = parse_parts(template)?;
        let axes: Vec<Vec<String>> = parts
            .iter()
            .filter_map(|part| match part {
                Part::Group(alternatives) => Some(alternatives.clone()),
                Part::Text(_) => None,
            })
            .collect();
        let (rows, columns) = match axes.as_slice() {
            [only] => (1, only.len()),
            [first, second] => (first.len(), second.len()),
            [] => {
                return Err(Error::Argument(
                    "the prompt has no group to sweep; write alternatives as [blonde|brown|black]"
                        .into(),
                ));
            }
            more => {
                return Err(Error::Argument(format!(
                    "the prompt has {} groups; a sweep takes one or two (literal brackets are [[ and ]])",
                    more.len()
                )));
            }
        };
        if rows * columns > MAX_CELLS {
            return Err(Error::Argument(format!(
                "the sweep has {rows} x {columns} cells; at most {MAX_CELLS} are drawn at once"
            )));
        }
        let cell = |row: usize, column: usize| {
            let picks = if axes.len() == 1 {
                vec![column]
            } else {
                vec![row, column]
            };
            let words: Vec<String> = axes
                .iter()
                .zip(&picks)
                .map(|(axis, pick)| axis[*pick].clone())
                .collect();
            Cell {
                row,
                column,
                prompt: resolve(&parts, &words),
                words,
            }
        };
        let cells = (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column)));
        let cells = cells.map(|(row, column)| cell(row, column)).collect();
        Ok(Self {
            template: template.to_string(),
            axes,
            cells,
        })
    }

    /// Rows of the grid.
    pub fn rows(&self) -> usize {
        if self.axes.len() == 1 {
            1
        } else {
            self.axes[0].len()
        }
    }

    /// Columns of the grid.
    pub fn columns(&self) -> usize {
        self.axes.last().map_or(0, Vec::len)
    }
}

/// Whether a prompt looks as if it was meant for a sweep.
pub fn has_groups(prompt: &str) -> bool {
    parse_parts(prompt).is_ok_and(|parts| parts.iter().any(|part| matches!(part, Part::Group(_))))
}

fn resolve(parts: &[Part], words: &[String]) -> String {
    let mut words = words.iter();
    parts
        .iter()
        .map(|part| match part {
            Part::Text(text) => text.as_str(),
            Part::Group(_) => words.next().map_or("", String::as_str),
        })
        .collect()
}

fn parse_parts(template: &str) -> Result<Vec<Part>> {
    let mut parts = Vec::new();
    let mut text = String::new();
    let mut group: Option<Vec<String>> = None;
    let mut chars = template.chars().peekable();
    while let Some(c) = chars.next() {
        let doubled = matches!(c, '[' | ']') && chars.peek() == Some(&c);
        match (c, &mut group) {
            // A group that ends right before another bracket closes first: `[a|b]]` is a group and
            // a stray bracket, so doubled brackets are literal only outside of groups.
            ('[' | ']', None) if doubled => {
                chars.next();
                text.push(c);
            }
            ('[', None) => {
                parts.push(Part::Text(std::mem::take(&mut text)));
                group = Some(Vec::new());
            }
            ('[', Some(_)) => return Err(broken("a group starts inside another group")),
            (']', None) => return Err(broken("a bracket closes no group")),
            (']', Some(alternatives)) => {
                alternatives.push(std::mem::take(&mut text));
                if alternatives.len() < 2 {
                    return Err(broken("a group has a single alternative"));
                }
                parts.push(Part::Group(std::mem::take(alternatives)));
                group = None;
            }
            ('|', Some(alternatives)) => alternatives.push(std::mem::take(&mut text)),
            ('\\', Some(_)) if chars.peek() == Some(&'|') => {
                chars.next();
                text.push('|');
            }
            (c, _) => text.push(c),
        }
    }
    if group.is_some() {
        return Err(broken("a group is not closed"));
    }
    parts.push(Part::Text(text));
    Ok(parts)
}

fn broken(what: &str) -> Error {
    Error::Argument(format!(
        "{what} in the prompt; write [a|b|c], and [[ or ]] for literal brackets"
    ))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn prompts(template: &str) -> Vec<String> {
        Sweep::parse(template)
            .expect(template)
            .cells
            .into_iter()
            .map(|cell| cell.prompt)
            .collect()
    }

    #[test]
    fn one_group_is_a_row() {
        let sweep = Sweep::parse("[blonde|brown|black] hair").expect("one group");
        assert_eq!((sweep.rows(), sweep.columns()), (1, 3));
        assert_eq!(
            prompts("[blonde|brown|black] hair"),
            ["blonde hair", "brown hair", "black hair"]
        );
    }

    #[test]
    fn two_groups_are_a_grid() {
        let sweep =
            Sweep::parse("a [young|old] face, [blonde|brown|black] hair").expect("two groups");
        assert_eq!((sweep.rows(), sweep.columns()), (2, 3));
        let cell = &sweep.cells[4];
        assert_eq!((cell.row, cell.column), (1, 1));
        assert_eq!(cell.words, ["old", "brown"]);
        assert_eq!(cell.prompt, "a old face, brown hair");
    }

    #[test]
    fn literals_and_empty_alternatives() {
        assert_eq!(prompts("a [[b]] [|c]"), ["a [b] ", "a [b] c"]);
        assert_eq!(prompts(r"[a\|b|c]"), ["a|b", "c"]);
        assert_eq!(prompts("x|y [a|b]"), ["x|y a", "x|y b"]);
        assert_eq!(prompts("[a||b]"), ["a", "", "b"]);
    }

    #[test]
    fn broken_templates_say_what_is_wrong() {
        for (template, wanted) in [
            ("plain", "no group"),
            ("[a|b", "not closed"),
            ("a] b", "closes no group"),
            ("[a]", "single alternative"),
            ("[a|[b|c]]", "inside another"),
            ("[a|b][c|d][e|f]", "3 groups"),
        ] {
            let error = Sweep::parse(template).expect_err(template).to_string();
            assert!(error.contains(wanted), "{template}: {error}");
        }
        let many = format!("[{}]", vec!["x"; 300].join("|"));
        assert!(
            Sweep::parse(&many)
                .expect_err("too many")
                .to_string()
                .contains("1 x 300 cells")
        );
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_or_refused(template in r"[a-c\[\]|\\ ]{0,24}") {
            if let Ok(sweep) = Sweep::parse(&template) {
                prop_assert_eq!(sweep.cells.len(), sweep.rows() * sweep.columns());
                prop_assert!(sweep.cells.len() >= 2);
            }
        }

        #[test]
        fn escaped_text_comes_back(text in r"[a-c\[\] ]{0,12}") {
            let template = format!("{}[x|y]", text.replace('[', "[[").replace(']', "]]"));
            prop_assert_eq!(prompts(&template), [format!("{text}x"), format!("{text}y")]);
        }
    }
}
