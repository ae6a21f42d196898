//! A YAML document as a tree that knows the lines of its keys.

use saphyr_parser::{Event, Parser, ScalarStyle, Span};

/// Deepest nesting.
const DEPTH: usize = 16;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
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
    pub(super) fn entries(&self) -> &[(String, usize, Node)] {
        match self {
            Self::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The value of a key.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        self.entries()
            .iter()
            .find(|(name, ..)| name == key)
            .map(|(.., node)| node)
    }

    /// The text of a plain value.
    pub(super) fn scalar(&self) -> Option<&str> {
        match self {
            Self::Scalar(text) => Some(text),
            _ => None,
        }
    }
}

/// Reads a document whose top is a map.
///
/// Anchors are refused: an alias of an alias can stand for gigabytes, and configurations need none.
///
/// # Errors
/// With the line of what is not understood.
pub(super) fn parse(text: &str) -> Result<Node, String> {
    let mut events = Parser::new_from_str(text);
    let mut tree = Node::Null;
    while let Some((event, span)) = next(&mut events)? {
        match event {
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => {}
            _ if tree != Node::Null => {
                return Err(format!("line {}: a second document", span.start.line()));
            }
            event => tree = node(event, span, &mut events, 0)?,
        }
    }
    match tree {
        Node::Map(_) => Ok(tree),
        _ => Err("the file holds no sections".into()),
    }
}

fn next<'a>(
    events: &mut Parser<'a, saphyr_parser::StrInput<'a>>,
) -> Result<Option<(Event<'a>, Span)>, String> {
    events
        .next()
        .transpose()
        .map_err(|error| format!("line {}: {}", error.marker().line(), error.info()))
}

/// The value that begins with this event.
fn node<'a>(
    event: Event<'a>,
    span: Span,
    events: &mut Parser<'a, saphyr_parser::StrInput<'a>>,
    depth: usize,
) -> Result<Node, String> {
    let line = span.start.line();
    if depth > DEPTH {
        return Err(format!("line {line}: nested too deep"));
    }
    let unsupported = |what: &str| Err(format!("line {line}: {what} are not supported here"));
    match event {
        Event::Alias(_) => unsupported("anchors"),
        Event::Scalar(_, _, anchor, _)
        | Event::SequenceStart(anchor, _)
        | Event::MappingStart(anchor, _)
            if anchor > 0 =>
        {
            unsupported("anchors")
        }
        Event::Scalar(_, _, _, Some(_))
        | Event::SequenceStart(_, Some(_))
        | Event::MappingStart(_, Some(_)) => unsupported("tags"),
        Event::Scalar(text, ScalarStyle::Plain, ..)
            if matches!(&*text, "" | "null" | "~" | "Null" | "NULL") =>
        {
            Ok(Node::Null)
        }
        Event::Scalar(text, ..) => Ok(Node::Scalar(text.into_owned())),
        Event::SequenceStart(..) => {
            let mut items = Vec::new();
            loop {
                match next(events)? {
                    Some((Event::SequenceEnd, _)) | None => return Ok(Node::List(items)),
                    Some((event, span)) => items.push(node(event, span, events, depth + 1)?),
                }
            }
        }
        Event::MappingStart(..) => map(events, depth),
        other => Err(format!("line {line}: unexpected {other:?}")),
    }
}

fn map<'a>(
    events: &mut Parser<'a, saphyr_parser::StrInput<'a>>,
    depth: usize,
) -> Result<Node, String> {
    let mut entries: Vec<(String, usize, Node)> = Vec::new();
    while let Some((event, span)) = next(events)? {
        let line = span.start.line();
        let key = match event {
            Event::MappingEnd => break,
            Event::Scalar(key, ..) => key.into_owned(),
            _ => return Err(format!("line {line}: a key must be a plain word")),
        };
        if entries.iter().any(|(other, ..)| *other == key) {
            return Err(format!("line {line}: `{key}` stands here twice"));
        }
        let Some((event, span)) = next(events)? else {
            break;
        };
        entries.push((key, line, node(event, span, events, depth + 1)?));
    }
    Ok(Node::Map(entries))
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
            ("a: 1\n\tb: 2", "a tab"),
            ("a:\n  b: 1\n c: 2", "line 3"),
            ("a: &x 1", "line 1: anchors"),
            ("a: &x [1]\nb: *x", "line 1: anchors"),
            ("a: !!int 1", "line 1: tags"),
            ("b: 0\na: 1\na: 2", "line 3: `a` stands here twice"),
            ("a: \"x", "line "),
            ("a: 1\n---\nb: 2", "second document"),
            ("just words", "no sections"),
            ("", "no sections"),
            ("- 1", "no sections"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(part), "{text:?}: {error}");
        }
    }

    #[test]
    fn forms_over_several_lines_are_understood() {
        let text = "a: {b: 1,\n  c: [2, 3]}\nd: |\n  two\n  lines\ne: >-\n  one\n  line\n";
        let tree = parse(text).unwrap();
        let a = tree.get("a").unwrap();
        assert_eq!(a.get("b").unwrap().scalar(), Some("1"));
        assert_eq!(a.entries()[1].1, 2, "the line of c");
        assert_eq!(tree.get("d").unwrap().scalar(), Some("two\nlines\n"));
        assert_eq!(tree.get("e").unwrap().scalar(), Some("one line"));
        let deep = "a: ".to_owned() + &"[".repeat(40) + &"]".repeat(40);
        assert!(parse(&deep).unwrap_err().contains("too deep"));
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(128))]
        #[test]
        fn no_text_panics(text in "[ a-c:\\-#'\"\\[\\],\n]{0,80}") {
            parse(&text).ok();
        }
    }
}
