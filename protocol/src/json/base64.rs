//! Base64 with its padding, as RFC 4648 has it.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const PADDING: u8 = b'=';

/// Returns the text for these bytes.
pub(super) fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let mut three = [0; 3];
        three[..group.len()].copy_from_slice(group);
        let bits = u32::from_be_bytes([0, three[0], three[1], three[2]]);
        for place in 0..4 {
            // So many bytes give one digit more than their number.
            let digit = if place <= group.len() {
                ALPHABET[(bits >> (18 - 6 * place)) as usize & 63]
            } else {
                PADDING
            };
            text.push(char::from(digit));
        }
    }
    text
}

/// Returns the bytes that this text stands for; none when it is not one that [`encode`] gives.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    let text = text.as_bytes();
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    for group in text.chunks(4) {
        let digits = group.iter().take_while(|digit| **digit != PADDING).count();
        let is_last = bytes.len() / 3 + 1 == text.len().div_ceil(4);
        let padded = group[digits..].iter().all(|digit| *digit == PADDING);
        if group.len() < 4 || digits < 2 || !padded || (digits < 4 && !is_last) {
            return None;
        }
        let mut bits: u32 = 0;
        for digit in &group[..digits] {
            let value = ALPHABET.iter().position(|known| known == digit)?;
            bits = bits << 6 | value as u32;
        }
        bits <<= 6 * (4 - digits);
        let three = bits.to_be_bytes();
        // What is beyond the last byte has to be zero, so that each value has one text only.
        if three[digits..].iter().any(|rest| *rest != 0) {
            return None;
        }
        bytes.extend(&three[1..digits]);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_the_rfc_hold() {
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(encode(bytes.as_bytes()), text);
            assert_eq!(decode(text).as_deref(), Some(bytes.as_bytes()), "{text}");
        }
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(decode(&encode(&all)), Some(all));
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "Z", "Zg", "Zg=", "Zg===", "=", "====", "Zg==Zg==", "Zh==", "Zm9=", "Z g=", "Zm9v\n",
            "ä===",
        ] {
            assert_eq!(decode(text), None, "{text}");
        }
    }
}
