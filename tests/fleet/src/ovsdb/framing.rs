//! Cuts a stream of JSON objects into messages.

/// The longest message taken.
pub(super) const MESSAGE_MAX: usize = 16 << 20;

/// Why a stream cannot go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Broken {
    /// A message began with something that is not an object.
    NotAnObject,
    /// A message was longer than [`MESSAGE_MAX`].
    TooLong,
}

/// Where the reading of a message stands; the part of it that has come is kept, and nothing between messages.
#[derive(Debug, Default)]
pub(super) struct Framing {
    part: Vec<u8>,
    depth: u32,
    is_text: bool,
    is_escaped: bool,
}

impl Framing {
    /// Cuts one message off the front of `input`; nothing if its end has not come. A message that came in one piece is
    /// not copied.
    pub(super) fn next<'a, 'i: 'a>(
        &'a mut self,
        input: &mut &'i [u8],
    ) -> Result<Option<Message<'a>>, Broken> {
        if self.depth == 0 {
            *input = input.trim_ascii_start();
            self.part = Vec::new();
        }
        let Some(end) = self.scan(input)? else {
            if self.part.len() + input.len() > MESSAGE_MAX {
                return Err(Broken::TooLong);
            }
            self.part.extend_from_slice(input);
            *input = &[];
            return Ok(None);
        };
        let (head, rest) = input.split_at(end);
        *input = rest;
        if self.part.is_empty() {
            return Ok(Some(Message(head)));
        }
        if self.part.len() + head.len() > MESSAGE_MAX {
            return Err(Broken::TooLong);
        }
        self.part.extend_from_slice(head);
        Ok(Some(Message(&self.part)))
    }

    /// Bytes kept.
    pub(super) fn capacity(&self) -> usize {
        self.part.capacity()
    }

    /// The position behind the end of the message.
    fn scan(&mut self, input: &[u8]) -> Result<Option<usize>, Broken> {
        for (at, byte) in input.iter().enumerate() {
            if self.is_text {
                match byte {
                    _ if self.is_escaped => self.is_escaped = false,
                    b'\\' => self.is_escaped = true,
                    b'"' => self.is_text = false,
                    _ => {}
                }
                continue;
            }
            match byte {
                b'{' | b'[' if self.depth > 0 || *byte == b'{' => self.depth += 1,
                b'}' | b']' if self.depth > 0 => {
                    self.depth -= 1;
                    if self.depth == 0 {
                        return Ok(Some(at + 1));
                    }
                }
                _ if self.depth == 0 => return Err(Broken::NotAnObject),
                b'"' => self.is_text = true,
                _ => {}
            }
        }
        Ok(None)
    }
}

/// The bytes of one message.
#[derive(Debug)]
pub(super) struct Message<'a>(pub(super) &'a [u8]);

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(pieces: &[&[u8]]) -> Result<Vec<String>, Broken> {
        let (mut framing, mut messages) = (Framing::default(), Vec::new());
        for piece in pieces {
            let mut input = *piece;
            while let Some(Message(bytes)) = framing.next(&mut input)? {
                messages.push(String::from_utf8_lossy(bytes).into_owned());
            }
        }
        Ok(messages)
    }

    #[test]
    fn messages_are_cut_wherever_the_stream_is() {
        let stream = br#" {"a":"}\"]{"} {"b":[{},[1]]}{}"#;
        let whole = vec![r#"{"a":"}\"]{"}"#, r#"{"b":[{},[1]]}"#, "{}"];
        assert_eq!(cut(&[stream]).unwrap(), whole);
        for at in 0..stream.len() {
            assert_eq!(cut(&[&stream[..at], &stream[at..]]).unwrap(), whole, "cut at {at}");
        }
        let bytes: Vec<&[u8]> = stream.chunks(1).collect();
        assert_eq!(cut(&bytes).unwrap(), whole);
    }

    #[test]
    fn what_is_not_an_object_or_too_long_is_refused() {
        assert_eq!(cut(&[b"[1]"]), Err(Broken::NotAnObject));
        assert_eq!(cut(&[b"{} x"]), Err(Broken::NotAnObject));
        let long = vec![b' '; MESSAGE_MAX];
        assert_eq!(cut(&[b"{", &long]), Err(Broken::TooLong));
        assert_eq!(cut(&[b"{", &long[1..], b"}"]), Err(Broken::TooLong));
    }
}
