//! Captions: one line is drawn for each sample, and a mirrored picture swaps its sides.

/// The caption of the mirrored picture: "left" and "right" change places, letter case is kept.
pub fn mirrored(caption: &str) -> String {
    let mut result = String::with_capacity(caption.len() + 4);
    let mut rest = caption;
    while !rest.is_empty() {
        let word_end = rest
            .find(|c: char| !c.is_alphabetic())
            .unwrap_or(rest.len());
        let (word, after) = rest.split_at(word_end);
        result.push_str(&swap(word));
        let gap_end = after.find(char::is_alphabetic).unwrap_or(after.len());
        let (gap, next) = after.split_at(gap_end);
        result.push_str(gap);
        rest = next;
    }
    result
}

/// Swaps a word that starts with a side ("left", "leftwards", "rightmost", ...).
fn swap(word: &str) -> String {
    for (from, to) in [("left", "right"), ("right", "left")] {
        let Some(head) = word.get(..from.len()) else {
            continue;
        };
        let tail = &word[from.len()..];
        let side = matches!(
            tail.to_ascii_lowercase().as_str(),
            "" | "s" | "ward" | "wards" | "most" | "hand"
        );
        if head.eq_ignore_ascii_case(from) && side {
            let upper = |index: usize| {
                head.as_bytes()
                    .get(index)
                    .is_some_and(u8::is_ascii_uppercase)
            };
            let (first, second) = (upper(0), upper(1));
            let cased: String = to
                .char_indices()
                .map(|(index, c)| {
                    if (index == 0 && first) || second {
                        c.to_ascii_uppercase()
                    } else {
                        c
                    }
                })
                .collect();
            return cased + tail;
        }
    }
    word.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sides_change_places_and_nothing_else_does() {
        assert_eq!(
            mirrored("Left ear, turned to the RIGHT."),
            "Right ear, turned to the LEFT."
        );
        assert_eq!(
            mirrored("a bright light, leftwards"),
            "a bright light, rightwards"
        );
        assert_eq!(mirrored("leftover copyright"), "leftover copyright");
        assert_eq!(mirrored(""), "");
        assert_eq!(mirrored("größer, left"), "größer, right");
    }

    #[test]
    fn mirroring_twice_gives_the_caption_back() {
        for caption in [
            "A man looking left, right eye closed",
            "no sides here",
            "RIGHT left Right",
        ] {
            assert_eq!(mirrored(&mirrored(caption)), caption);
        }
    }
}
