//! The part of YAML that configuration files use: nested maps by indentation, lists, plain and
//! quoted values, comments. Everything else is refused with its line.

/// Deepest nesting.
const DEPTH: usize = 16;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    /// Keys with their lines, in file order.
    Map(Vec<(String, usize, Node)>),
    /// Values in file order.
    List(Vec<Node>),
    /// A plain or quoted value.
    Scalar(String),
    /// Nothing, `null` or `~`.
    Null,
}

impl Node {
    /// The entries of a map; none for anything else.
    pub fn entries(&self) -> &[(String, usize, Node)] {
        match self {
            Self::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.entries()
            .iter()
            .find(|(name, ..)| name == key)
            .map(|(.., node)| node)
    }

    /// The text of a plain value.
    pub fn scalar(&self) -> Option<&str> {
        match self {
            Self::Scalar(text) => Some(text),
            _ => None,
        }
    }
}

/// One line without comment: number, indentation, text.
struct Line<'a> {
    number: usize,
    indent: usize,
    text: &'a str,
}

/// Reads a document whose top is a map.
///
/// # Errors
/// With the line of what is not understood.
pub fn parse(text: &str) -> Result<Node, String> {
    let mut lines = Vec::new();
    for (index, raw) in text.lines().enumerate() {
        let number = index + 1;
        let line = without_comment(raw).trim_end();
        let body = line.trim_start_matches(' ');
        if body.is_empty() || (index == 0 && body == "---") {
            continue;
        }
        if body.starts_with('\t') {
            return Err(format!("line {number}: a tab where spaces are expected"));
        }
        lines.push(Line {
            number,
            indent: line.len() - body.len(),
            text: body,
        });
    }
    let mut at = 0;
    let node = block(&lines, &mut at, 0, 0)?;
    match (lines.get(at), &node) {
        (Some(line), _) => Err(format!("line {}: wrong indentation", line.number)),
        (None, Node::Map(_)) => Ok(node),
        (None, _) => Err("the file holds no sections".into()),
    }
}

/// Cuts a comment off: a hash at the start or after a space, outside of quotes.
fn without_comment(line: &str) -> &str {
    let mut quote = None;
    let mut before = ' ';
    for (index, character) in line.char_indices() {
        match (quote, character) {
            (None, '"' | '\'') if matches!(before, ' ' | '[' | ',') => quote = Some(character),
            (Some(open), _) if open == character => quote = None,
            (None, '#') if before == ' ' => return &line[..index],
            _ => {}
        }
        before = character;
    }
    line
}

fn block(lines: &[Line<'_>], at: &mut usize, indent: usize, depth: usize) -> Result<Node, String> {
    let Some(first) = lines.get(*at) else {
        return Ok(Node::Null);
    };
    if depth > DEPTH {
        return Err(format!("line {}: nested too deep", first.number));
    }
    let own = first.indent;
    if own < indent {
        return Ok(Node::Null);
    }
    if is_item(first.text) {
        let mut items = Vec::new();
        while let Some(line) = lines.get(*at)
            && line.indent == own
            && is_item(line.text)
        {
            *at += 1;
            let rest = line.text[1..].trim_start();
            items.push(if rest.is_empty() {
                block(lines, at, own + 1, depth + 1)?
            } else {
                value(rest, line.number)?
            });
        }
        return Ok(Node::List(items));
    }
    let mut entries: Vec<(String, usize, Node)> = Vec::new();
    while let Some(line) = lines.get(*at)
        && line.indent == own
    {
        let (key, rest) = line
            .text
            .split_once(':')
            .filter(|(_, rest)| rest.is_empty() || rest.starts_with(' '))
            .ok_or_else(|| format!("line {}: expected `key: value`", line.number))?;
        let key = unquoted(key.trim()).to_owned();
        if entries.iter().any(|(other, ..)| *other == key) {
            return Err(format!("line {}: `{key}` stands here twice", line.number));
        }
        *at += 1;
        let rest = rest.trim();
        let node = if rest.is_empty() {
            match lines.get(*at) {
                // A list may stand below its key without indentation.
                Some(next) if next.indent > own || next.indent == own && is_item(next.text) => {
                    block(lines, at, next.indent, depth + 1)?
                }
                _ => Node::Null,
            }
        } else {
            value(rest, line.number)?
        };
        entries.push((key, line.number, node));
    }
    Ok(Node::Map(entries))
}

fn is_item(text: &str) -> bool {
    text == "-" || text.starts_with("- ")
}

fn unquoted(text: &str) -> &str {
    for quote in ['"', '\''] {
        if let Some(inner) = text
            .strip_prefix(quote)
            .and_then(|rest| rest.strip_suffix(quote))
        {
            return inner;
        }
    }
    text
}

fn value(text: &str, number: usize) -> Result<Node, String> {
    if let Some(inner) = text.strip_prefix('[') {
        let inner = inner
            .strip_suffix(']')
            .ok_or_else(|| format!("line {number}: a list must end on its line"))?;
        return inner
            .split(',')
            .map(str::trim)
            .filter(|item| !item.is_empty())
            .map(|item| value(item, number))
            .collect::<Result<_, _>>()
            .map(Node::List);
    }
    if text.starts_with(['{', '&', '*', '!', '|', '>', '%', '@', '`']) {
        return Err(format!(
            "line {number}: `{text}` is a form of YAML that is not supported here"
        ));
    }
    if text.starts_with(['"', '\'']) {
        let inner = unquoted(text);
        if inner.len() == text.len() {
            return Err(format!("line {number}: a quote is not closed"));
        }
        return Ok(Node::Scalar(inner.to_owned()));
    }
    Ok(match text {
        "null" | "~" | "Null" | "NULL" => Node::Null,
        _ => Node::Scalar(text.to_owned()),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn maps_lists_and_values() {
        let text = "---\na:\n  b: 1 # one\n  c: \"x # y\"\n  d:\n  - p\n  - 'q: r'\n  e: [1, two]\nf: ~\ng:\n  h:\n    i: don't\n";
        let tree = parse(text).unwrap();
        let a = tree.get("a").unwrap();
        assert_eq!(a.get("b").unwrap().scalar(), Some("1"));
        assert_eq!(a.get("c").unwrap().scalar(), Some("x # y"));
        let texts = |items: &[&str]| {
            Node::List(
                items
                    .iter()
                    .map(|item| Node::Scalar((*item).into()))
                    .collect(),
            )
        };
        assert_eq!(*a.get("d").unwrap(), texts(&["p", "q: r"]));
        assert_eq!(*a.get("e").unwrap(), texts(&["1", "two"]));
        assert_eq!(*tree.get("f").unwrap(), Node::Null);
        let i = tree.get("g").unwrap().get("h").unwrap().get("i").unwrap();
        assert_eq!(i.scalar(), Some("don't"));
    }

    #[test]
    fn what_is_not_understood_is_named_with_its_line() {
        for (text, part) in [
            ("a: 1\n\tb: 2", "line 2: a tab"),
            ("a:\n  b: 1\n c: 2", "line 3"),
            ("a: &x 1", "not supported"),
            ("a: 1\na: 2", "twice"),
            ("a: \"x", "not closed"),
            ("just words", "expected `key: value`"),
            ("- 1", "no sections"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(part), "{text:?}: {error}");
        }
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(128))]
        #[test]
        fn no_text_panics(text in "[ a-c:\\-#'\"\\[\\],\n]{0,80}") {
            let _ = parse(&text);
        }
    }
}
