//! Texts that must never reach a log, an error or a panic message.

use std::fmt;

/// A secret (the account's AppSecret, an access token): `Debug` and `Display` print nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The secret itself, for the one place that puts it on the wire.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// A short word of printable ASCII that is safe to log: it was parsed strictly out of a reply, or
/// comes from the configuration. Held inline, so that a verdict needs no allocation.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Word {
    length: u8,
    bytes: [u8; Word::BYTES_MAX],
}

impl Word {
    /// The longest word held.
    pub const BYTES_MAX: usize = 32;

    /// The word, or `None` if the text is empty, too long, or holds anything but letters, digits,
    /// `_`, `-` and `.` of ASCII.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
        if text.is_empty() || text.len() > Self::BYTES_MAX || !text.bytes().all(plain) {
            return None;
        }
        let mut bytes = [0; Self::BYTES_MAX];
        bytes[..text.len()].copy_from_slice(text.as_bytes());
        Some(Self {
            length: text.len() as u8,
            bytes,
        })
    }

    /// The word as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..usize::from(self.length)]).unwrap_or_default()
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_prints_nothing_of_itself() {
        let secret = Secret::new("0123456789abcdef");
        let shown = format!("{secret} {secret:?} {:#?}", Some(&secret));
        assert!(!shown.contains("0123"), "{shown}");
        assert_eq!(secret.expose(), "0123456789abcdef");
    }

    #[test]
    fn a_word_takes_plain_ascii_only() {
        for (text, taken) in [
            ("thing1", true),
            ("6720e3ab-1b2c3d4e-0a0b0c0d", true),
            ("", false),
            ("王秀兰", false),
            ("two words", false),
            ("line\nbreak", false),
            ("0123456789abcdef0123456789abcdef", true),
            ("0123456789abcdef0123456789abcdefg", false),
        ] {
            assert_eq!(Word::new(text).is_some(), taken, "{text:?}");
            if let Some(word) = Word::new(text) {
                assert_eq!(word.as_str(), text);
                assert_eq!(word.to_string(), text);
            }
        }
    }
}
