//! The patterns of topic exchanges: words between dots, `*` for one word, `#` for any number of
//! words.

/// Whether a binding's pattern matches a routing key.
///
/// Only the last `#` before a mismatch is given more words: giving an earlier one more would leave
/// the later one less choice. So the work is at most the product of the two numbers of words.
pub(super) fn matches(pattern: &[u8], key: &[u8]) -> bool {
    let (mut pattern, mut key) = (words(pattern), words(key));
    // The pattern after the last `#`, and the key after the words that this `#` takes.
    let mut retry = None;
    loop {
        match (pattern.next(), key.clone().next()) {
            (None, None) => return true,
            (Some(b"#"), _) => retry = Some((pattern.clone(), key.clone())),
            (Some(wanted), Some(word)) if wanted == b"*" || wanted == word => {
                key.next();
            }
            _ => {
                let Some((after, taken)) = &mut retry else { return false };
                if taken.next().is_none() {
                    return false;
                }
                (pattern, key) = (after.clone(), taken.clone());
            }
        }
    }
}

/// The words of a pattern or key. An empty one has none; otherwise there is one more than there are
/// dots, and a word may be empty.
fn words(text: &[u8]) -> impl Iterator<Item = &[u8]> + Clone {
    let limit = if text.is_empty() { 0 } else { usize::MAX };
    text.split(|byte| *byte == b'.').take(limit)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Keys that each pattern matches, and keys that it doesn't.
    #[rustfmt::skip]
    const TABLE: [(&str, &[&str], &[&str]); 22] = [
        ("", &[""], &["a", ".", "#"]),
        ("a", &["a"], &["", "A", "a.", ".a", "a.a", "b"]),
        ("*", &["a", "*", "#", "ab"], &["", ".", "a.b"]),
        ("#", &["", "a", ".", "a.b.c", "#"], &[]),
        ("*.*", &["a.b", ".", "a.", ".a"], &["", "a", "a.b.c", ".."]),
        ("a.*", &["a.b", "a.", "a.*"], &["a", "b.a", "a.b.c"]),
        ("*.b", &["a.b", ".b"], &["b", "a.b.b"]),
        ("a.*.b", &["a.x.b", "a..b"], &["a.b", "a.x.y.b"]),
        ("a.#", &["a", "a.", "a.x", "a.x.y"], &["", "b", "ab", "b.a"]),
        ("#.a", &["a", ".a", "x.a", "x.y.a", "a.a"], &["", "a.", "a.b"]),
        ("a.#.b", &["a.b", "a..b", "a.x.b", "a.x.y.b", "a.b.b", "a.b.a.b"], &["a", "b", "a.b.c", "ab"]),
        ("#.x.#", &["x", "x.a", "a.x", "a.x.b", "x.x"], &["", "a", "a.b", "xx"]),
        ("#.#", &["", "a", "a.b", "."], &[]),
        ("*.#", &["a", ".", "a.b"], &[""]),
        ("#.*", &["a", ".", "a.b"], &[""]),
        ("#.", &[".", "a.", "..", "a.b."], &["", "a", ".a"]),
        (".#", &[".", ".a", ".."], &["", "a", "a."]),
        (".", &["."], &["", "a", "..", "a.b"]),
        ("*a", &["*a"], &["a", "ba"]),
        ("a#", &["a#"], &["a", "ab"]),
        ("##", &["##"], &["", "a", "a.b"]),
        ("#.a.*.b.#", &["a.x.b", "a.a.b.b", "q.a.a.x.b.q", "a.b.a.c.b"], &["a.b", "a.b.c", "b.x.a"]),
    ];

    #[test]
    fn words_are_matched_as_rabbitmq_matches_them() {
        for (pattern, matching, others) in TABLE {
            for key in matching {
                assert!(matches(pattern.as_bytes(), key.as_bytes()), "{pattern:?} should match {key:?}");
            }
            for key in others {
                assert!(!matches(pattern.as_bytes(), key.as_bytes()), "{pattern:?} should not match {key:?}");
            }
        }
    }

    #[test]
    fn octets_that_are_no_text_are_compared_as_they_are() {
        assert!(matches(b"\xff.*", b"\xff.\xfe"));
        assert!(!matches(b"\xff.*", b"\xfe.\xfe"));
    }

    #[test]
    fn many_hashes_cost_no_more_than_the_product_of_the_words() {
        let pattern = format!("{}nowhere", "#.a.".repeat(63));
        let key = vec!["a"; 128].join(".");
        assert!(!matches(pattern.as_bytes(), key.as_bytes()));
        assert!(matches(pattern.as_bytes(), format!("{key}.nowhere").as_bytes()));
    }

    /// By definition, trying every way.
    fn naive(pattern: &[&[u8]], key: &[&[u8]]) -> bool {
        match (pattern, key) {
            ([], []) => true,
            ([b"#", rest @ ..], _) => (0..=key.len()).any(|taken| naive(rest, key.get(taken..).unwrap_or_default())),
            ([word, rest @ ..], [first, others @ ..]) => (*word == b"*" || word == first) && naive(rest, others),
            _ => false,
        }
    }

    fn joined(words: &'static [&'static str], most: usize) -> impl Strategy<Value = String> {
        prop::collection::vec(prop::sample::select(words), 0..=most).prop_map(|words| words.join("."))
    }

    proptest! {
        #[test]
        fn matching_agrees_with_the_definition(
            pattern in joined(&["a", "b", "", "*", "#", "#"], 6),
            key in joined(&["a", "b", "", "#"], 7),
        ) {
            let all: [Vec<_>; 2] = [&pattern, &key].map(|text| words(text.as_bytes()).collect());
            let [pattern_words, key_words] = &all;
            prop_assert_eq!(matches(pattern.as_bytes(), key.as_bytes()), naive(pattern_words, key_words));
        }
    }
}
