//! The password file of libpq: a line `host:port:database:user:password` per server.

use std::path::Path;

/// The server that a password is for.
pub(super) struct Server<'a> {
    pub(super) host: &'a str,
    pub(super) port: u16,
    pub(super) database: &'a str,
    pub(super) user: &'a str,
}

/// The password of the first line that fits. A field `*` fits everything; `\` escapes `:` and `\`.
pub(super) fn find(text: &str, server: &Server<'_>) -> Option<String> {
    text.lines().filter(|line| !line.starts_with('#')).find_map(|line| {
        let mut rest = line;
        let wanted = [server.host, &server.port.to_string(), server.database, server.user];
        for wanted in wanted {
            let (field, after) = field(rest);
            if field != "*" && field != wanted {
                return None;
            }
            rest = after?;
        }
        Some(field(rest).0)
    })
}

/// The field at the start of `text` without its escapes, and what follows its `:`.
fn field(text: &str) -> (String, Option<&str>) {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            ':' => return (value, text.get(at + 1..)),
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            other => value.push(other),
        }
    }
    (value, None)
}

/// Whether only its owner can read the file. Others are ignored, as libpq does.
#[cfg(unix)]
pub(super) fn is_private(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    const OF_OTHERS: u32 = 0o077;
    std::fs::metadata(path).is_ok_and(|file| file.permissions().mode() & OF_OTHERS == 0)
}

#[cfg(not(unix))]
pub(super) fn is_private(_: &Path) -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_that_fits_has_the_password() {
        let text = "\
# host:port:database:user:password
db.example:5432:engine:ann:one
db.example:*:*:ann:two
*:5433:*:bob:a\\:b\\\\c:ignored
short:5432:engine
\\:\\:1:5432:*:eve:six
";
        for (host, port, database, user, password) in [
            ("db.example", 5432, "engine", "ann", Some("one")),
            ("db.example", 5432, "other", "ann", Some("two")),
            ("db.example", 5432, "engine", "bob", None),
            ("elsewhere", 5433, "x", "bob", Some("a:b\\c")),
            ("short", 5432, "engine", "ann", None),
            ("::1", 5432, "engine", "eve", Some("six")),
        ] {
            let server = Server { host, port, database, user };
            assert_eq!(find(text, &server).as_deref(), password, "{host}:{port}/{database} as {user}");
        }
    }
}
