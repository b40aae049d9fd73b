//! Reads server-sent events from the pieces of a response.

/// An event.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Event {
    /// Its name; empty if it has none.
    pub(crate) name: String,
    pub(crate) data: String,
}

/// The longest event that is read.
const LIMIT: usize = 8 * 1024 * 1024;

/// An event is longer than the limit.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooLong;

/// Assembles events. Holds at most one, up to 8 MiB.
#[derive(Debug, Default)]
pub(crate) struct Events {
    line: Vec<u8>,
    name: String,
    data: Option<String>,
    /// The last byte was `\r`: a `\n` now belongs to it.
    after_return: bool,
    begun: bool,
}

impl Events {
    /// Adds a piece, and passes on the events that it completes.
    ///
    /// # Errors
    ///
    /// [`TooLong`]: the rest cannot be read.
    pub(crate) fn push(&mut self, piece: &[u8], mut each: impl FnMut(Event)) -> Result<(), TooLong> {
        for byte in piece {
            let is_second = std::mem::take(&mut self.after_return) && *byte == b'\n';
            match byte {
                b'\n' if is_second => {}
                b'\n' | b'\r' => {
                    self.after_return = *byte == b'\r';
                    let line = std::mem::take(&mut self.line);
                    self.end_line(&line, &mut each);
                }
                byte => self.line.push(*byte),
            }
            if self.line.len() + self.data.as_ref().map_or(0, String::len) > LIMIT {
                return Err(TooLong);
            }
        }
        Ok(())
    }

    /// Passes on a last event that no empty line follows: some services end with it.
    pub(crate) fn finish(mut self, mut each: impl FnMut(Event)) {
        let line = std::mem::take(&mut self.line);
        self.end_line(&line, &mut each);
        self.end_line(b"", &mut each);
    }

    fn end_line(&mut self, line: &[u8], each: &mut impl FnMut(Event)) {
        let line = if std::mem::replace(&mut self.begun, true) {
            line
        } else {
            line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line)
        };
        if line.is_empty() {
            let name = std::mem::take(&mut self.name);
            if let Some(data) = self.data.take() {
                each(Event { name, data });
            }
            return;
        }
        let line = String::from_utf8_lossy(line);
        let (field, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.name),
            "data" => match &mut self.data {
                Some(data) => data.extend(["\n", value]),
                None => self.data = Some(value.to_owned()),
            },
            // Ids, times for reconnecting, and comments.
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = "\u{feff}: hello\nevent: a\ndata: {\"x\":\ndata: 1}\nid: 7\n\ndata:two\r\n\r\nevent: no-data\n\n\
                          event: b\rdata: ü\r\rdata: last";

    fn all(pieces: &[&[u8]]) -> Vec<(String, String)> {
        let (mut events, mut found) = (Events::default(), Vec::new());
        for piece in pieces {
            events.push(piece, |event| found.push((event.name, event.data))).unwrap();
        }
        events.finish(|event| found.push((event.name, event.data)));
        found
    }

    #[test]
    fn events_are_the_same_wherever_the_stream_is_cut_in_pieces() {
        let expected = [("a", "{\"x\":\n1}"), ("", "two"), ("b", "ü"), ("", "last")]
            .map(|(name, data)| (name.to_owned(), data.to_owned()));
        let bytes = STREAM.as_bytes();
        for cut in 0..=bytes.len() {
            assert_eq!(all(&[&bytes[..cut], &bytes[cut..]]), expected, "{cut}");
        }
        assert_eq!(all(&bytes.chunks(1).collect::<Vec<_>>()), expected);
    }

    #[test]
    fn an_event_without_end_is_given_up() {
        let much = vec![b'x'; 1024 * 1024];
        let mut events = Events::default();
        assert!((0..20).any(|_| events.push(&much, |_| {}) == Err(TooLong)));
    }
}
