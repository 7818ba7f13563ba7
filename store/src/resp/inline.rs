//! Inline commands: a request typed by hand, words between blanks, quotes around blanks.
//!
//! Source: `sdssplitargs` of Redis: `"…"` knows `\n \r \t \b \a \xHH`, `'…'` knows `\'` only, and a
//! closing quote must be followed by a blank or the end of the line.

use bytes::Bytes;

/// The words of `line`; `None` when its quotes are unbalanced.
pub(super) fn split(line: &[u8]) -> Option<Vec<Bytes>> {
    let mut words = Vec::new();
    let mut rest = line.trim_ascii_start();
    while !rest.is_empty() {
        let mut word = Vec::new();
        rest = take_word(rest, &mut word)?.trim_ascii_start();
        words.push(Bytes::from(word));
    }
    Some(words)
}

/// Each `take_*` appends to `word` what it understood, and returns the bytes after it.
fn take_word<'a>(mut rest: &'a [u8], word: &mut Vec<u8>) -> Option<&'a [u8]> {
    while let Some((&byte, after)) = rest.split_first() {
        match byte {
            b'"' => return take_double_quoted(after, word).filter(|rest| ends_word(rest)),
            b'\'' => return take_single_quoted(after, word).filter(|rest| ends_word(rest)),
            _ if byte.is_ascii_whitespace() => break,
            _ => word.push(byte),
        }
        rest = after;
    }
    Some(rest)
}

fn ends_word(rest: &[u8]) -> bool {
    rest.first().is_none_or(u8::is_ascii_whitespace)
}

fn take_double_quoted<'a>(mut rest: &'a [u8], word: &mut Vec<u8>) -> Option<&'a [u8]> {
    loop {
        let (&byte, after) = rest.split_first()?;
        rest = match byte {
            b'"' => return Some(after),
            b'\\' => take_escape(after, word)?,
            _ => {
                word.push(byte);
                after
            }
        };
    }
}

fn take_escape<'a>(rest: &'a [u8], word: &mut Vec<u8>) -> Option<&'a [u8]> {
    if let [b'x', high, low, after @ ..] = rest
        && let (Some(high), Some(low)) = (hex(*high), hex(*low))
    {
        word.push(high << 4 | low);
        return Some(after);
    }
    let (&byte, after) = rest.split_first()?;
    word.push(match byte {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' => 0x08,
        b'a' => 0x07,
        other => other,
    });
    Some(after)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|digit| digit as u8)
}

fn take_single_quoted<'a>(mut rest: &'a [u8], word: &mut Vec<u8>) -> Option<&'a [u8]> {
    loop {
        rest = match rest {
            [b'\\', b'\'', after @ ..] => {
                word.push(b'\'');
                after
            }
            [b'\'', after @ ..] => return Some(after),
            [byte, after @ ..] => {
                word.push(*byte);
                after
            }
            [] => return None,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Option<Vec<String>> {
        let words = split(line.as_bytes())?;
        Some(words.iter().map(|word| String::from_utf8_lossy(word).into_owned()).collect())
    }

    #[test]
    fn words_stand_between_blanks() {
        assert_eq!(words("  set\ta  b ").unwrap(), ["set", "a", "b"]);
        assert_eq!(words(" \t").unwrap(), [""; 0]);
    }

    #[test]
    fn quotes_hold_blanks_escapes_and_nothing() {
        assert_eq!(words(r#"a "b c" 'd e' "" x"y z""#).unwrap(), ["a", "b c", "d e", "", "xy z"]);
        assert_eq!(words(r#""\x41\n\q\"" '\n\''"#).unwrap(), ["A\nq\"", "\\n'"]);
        assert_eq!(words(r#""\xg1""#).unwrap(), ["xg1"]);
    }

    #[test]
    fn unbalanced_quotes_are_refused() {
        for line in ["\"a", "'a", "\"a\"b", "'a'b", "\"a\\", "'a\\'"] {
            assert_eq!(words(line), None, "{line}");
        }
    }
}
