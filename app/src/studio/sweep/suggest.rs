//! Words that make sense beside a word of a prompt.

/// Kinds of words. The first list that holds the word answers.
const KINDS: &[(&str, &[&str])] = &[
    (
        "Hair colour",
        &[
            "blonde", "brown", "black", "red", "auburn", "grey", "white", "dark", "blond", "gray",
        ],
    ),
    (
        "Hair style",
        &[
            "straight",
            "wavy",
            "curly",
            "short",
            "long",
            "shoulder-length",
            "tied-back",
            "bald",
        ],
    ),
    (
        "Expression",
        &[
            "smiling",
            "serious",
            "laughing",
            "sad",
            "surprised",
            "angry",
            "thoughtful",
            "neutral",
        ],
    ),
    ("Age", &["young", "middle-aged", "elderly", "old", "mature"]),
    ("Person", &["woman", "man", "person", "lady", "guy"]),
    (
        "Skin",
        &["pale", "fair", "tanned", "olive", "freckled", "wrinkled"],
    ),
    ("Eyes", &["blue", "green", "hazel", "brown", "grey", "dark"]),
    (
        "Beard",
        &[
            "beard",
            "moustache",
            "stubble",
            "goatee",
            "sideburns",
            "mustache",
        ],
    ),
    (
        "Worn",
        &[
            "glasses",
            "sunglasses",
            "hat",
            "earrings",
            "necklace",
            "headscarf",
        ],
    ),
    (
        "Make-up",
        &["lipstick", "eyeliner", "blush", "make-up", "makeup"],
    ),
    (
        "Light",
        &[
            "bright", "dim", "soft", "warm", "cold", "dramatic", "natural",
        ],
    ),
];

/// Words that stand before another and tell which kind is meant.
const BEFORE: &[(&str, &str)] = &[
    ("hair", "Hair colour"),
    ("eyes", "Eyes"),
    ("eyed", "Eyes"),
    ("skin", "Skin"),
    ("light", "Light"),
    ("lighting", "Light"),
];

/// The kind of a word and its other members; `next` is the word after it. Words of no kind get the
/// expressions, which fit into any prompt.
pub fn suggestions(word: &str, next: Option<&str>) -> (&'static str, Vec<&'static str>) {
    let word = word.to_lowercase();
    let hinted = next.and_then(|next| {
        let next = next.to_lowercase();
        BEFORE
            .iter()
            .find(|(before, _)| *before == next)
            .map(|(_, kind)| *kind)
    });
    let named = |name: &str| KINDS.iter().find(|(kind, _)| *kind == name);
    let holds = |list: &[&str]| list.contains(&word.as_str());
    let (kind, list) = hinted
        .and_then(named)
        // "curly hair" is a style although hair follows.
        .filter(|(_, list)| holds(list) || KINDS.iter().all(|(_, list)| !holds(list)))
        .or_else(|| KINDS.iter().find(|(_, list)| holds(list)))
        .or_else(|| named("Expression"))
        .copied()
        .unwrap_or(("", &[]));
    let spelled = |other: &&&str| !same(&word, other);
    (kind, list.iter().filter(spelled).take(8).copied().collect())
}

/// Two spellings of one word.
fn same(word: &str, other: &str) -> bool {
    let twins = [
        ("blonde", "blond"),
        ("grey", "gray"),
        ("moustache", "mustache"),
        ("make-up", "makeup"),
    ];
    let twin = |a: &str, b: &str| twins.contains(&(a, b)) || twins.contains(&(b, a));
    // The second spelling is known, not offered.
    word == other || twin(word, other) || twins.iter().any(|(_, second)| *second == other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_follow_the_word_and_the_one_after_it() {
        let (kind, list) = suggestions("Blond", Some("hair"));
        assert_eq!(kind, "Hair colour");
        assert!(list.contains(&"red") && !list.contains(&"blonde") && !list.contains(&"gray"));
        assert_eq!(suggestions("brown", Some("eyes")).0, "Eyes");
        assert_eq!(suggestions("brown", Some("hair")).0, "Hair colour");
        assert_eq!(suggestions("curly", Some("hair")).0, "Hair style");
        assert_eq!(suggestions("young", Some("man")).0, "Age");
        assert_eq!(suggestions("teal", Some("hair")).0, "Hair colour");
        assert_eq!(suggestions("zzz", None).0, "Expression");
    }
}
