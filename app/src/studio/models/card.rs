//! A model's card as blocks that read well: its Markdown without the marks.

/// A stretch of a card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Block {
    /// A heading of any level.
    Heading(String),
    /// A paragraph, its lines joined.
    Text(String),
    /// An item of a list.
    Item(String),
    /// Rows of cells; the first row is the header.
    Table(Vec<Vec<String>>),
    /// Lines that are kept as they are.
    Code(String),
}

/// Most lines of a card that are shown.
const MOST_LINES: usize = 1500;

/// Reads a card. Anything is a card; what is not understood is a paragraph.
pub fn parse(text: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut open = false; // whether the last block takes a further line
    let mut fenced = false;
    for line in body(text).lines().take(MOST_LINES) {
        let trimmed = line.trim();
        if trimmed.starts_with("```") {
            fenced = !fenced;
            if fenced {
                blocks.push(Block::Code(String::new()));
            }
            open = false;
            continue;
        }
        if fenced {
            if let Some(Block::Code(code)) = blocks.last_mut() {
                code.push_str(line.trim_end());
                code.push('\n');
            }
            continue;
        }
        if trimmed.is_empty() {
            open = false;
        } else if let Some(title) = heading(trimmed) {
            blocks.push(Block::Heading(plain(title)));
            open = false;
        } else if trimmed.starts_with('|') {
            let cells = cells(trimmed);
            let rule = cells
                .iter()
                .all(|cell| cell.chars().all(|c| matches!(c, '-' | ':')));
            match blocks.last_mut() {
                _ if rule => {}
                Some(Block::Table(rows)) if open => rows.push(cells),
                _ => blocks.push(Block::Table(vec![cells])),
            }
            open = true;
        } else if let Some(item) = trimmed
            .strip_prefix("- ")
            .or_else(|| trimmed.strip_prefix("* "))
        {
            blocks.push(Block::Item(plain(item)));
            open = true;
        } else {
            match blocks.last_mut() {
                Some(Block::Text(text) | Block::Item(text)) if open => {
                    text.push(' ');
                    text.push_str(&plain(trimmed));
                }
                _ => blocks.push(Block::Text(plain(trimmed))),
            }
            open = true;
        }
    }
    blocks
}

/// The text behind the front matter that model hubs want.
fn body(text: &str) -> &str {
    let Some(rest) = text.strip_prefix("---\n") else {
        return text;
    };
    rest.split_once("\n---\n").map_or(text, |(_, body)| body)
}

fn heading(line: &str) -> Option<&str> {
    let title = line.trim_start_matches('#');
    let level = line.len() - title.len();
    (1..=6)
        .contains(&level)
        .then(|| title.strip_prefix(' '))
        .flatten()
}

fn cells(line: &str) -> Vec<String> {
    let inner = line.trim_start_matches('|').trim_end_matches('|');
    inner.split('|').map(|cell| plain(cell.trim())).collect()
}

/// Text without marks; a link keeps its address in brackets.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['[', '!', '*', '`']) {
        out.push_str(&rest[..at]);
        let tail = &rest[at..];
        let picture = tail.starts_with("![");
        if picture || tail.starts_with('[') {
            let inner = &tail[if picture { 2 } else { 1 }..];
            if let Some((name, after)) = inner.split_once("](")
                && let Some((address, after)) = after.split_once(')')
                && !name.contains(']')
            {
                out.push_str(name);
                if !picture {
                    out.push_str(" (");
                    out.push_str(address);
                    out.push(')');
                }
                rest = after;
                continue;
            }
        }
        let mark = &tail[..1];
        let before = out.chars().last().is_none_or(char::is_whitespace);
        let after = tail[1..].chars().next().is_none_or(char::is_whitespace);
        // A star between spaces multiplies; elsewhere it only emphasises.
        if mark == "[" || mark == "!" || (mark == "*" && before && after) {
            out.push_str(mark);
        }
        rest = &tail[1..];
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_card_loses_its_marks_and_keeps_its_words() {
        let text = "---\nlicense: mit\n---\n# Demo\n\n**Licence: research only.** See\n[the data](https://example.org).\n\n- one `file`\n  goes on\n- two\n\n| a | b |\n| --- | ---: |\n| 1 | 2 * 3 |\n```\nlet x;\n```\n";
        assert_eq!(
            parse(text),
            [
                Block::Heading("Demo".into()),
                Block::Text("Licence: research only. See the data (https://example.org).".into()),
                Block::Item("one file goes on".into()),
                Block::Item("two".into()),
                Block::Table(vec![
                    vec!["a".into(), "b".into()],
                    vec!["1".into(), "2 * 3".into()]
                ]),
                Block::Code("let x;\n".into()),
            ]
        );
    }

    proptest! {
        #[test]
        fn any_text_is_a_card(text in r"[a#*`\[\]()!| \n-]{0,60}") {
            parse(&text);
        }
    }
}
