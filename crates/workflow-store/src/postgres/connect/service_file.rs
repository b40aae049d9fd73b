//! The service file of libpq: sections with connection parameters, `[name]` and lines `key=value`.

/// The parameters of a service.
///
/// # Errors
///
/// A message without the content of the file: lines can contain passwords.
pub(super) fn find(text: &str, name: &str) -> Result<Vec<(String, String)>, String> {
    let mut found = None;
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(section) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            if found.is_some() {
                break;
            }
            found = (section == name).then(Vec::new);
            continue;
        }
        let Some(parameters) = &mut found else { continue };
        let (key, value) =
            line.split_once('=').ok_or_else(|| format!("line {number} is not of the form `key=value`"))?;
        let key = key.trim();
        if key == "service" {
            return Err(format!("line {number}: a service cannot name another one"));
        }
        parameters.push((key.to_owned(), value.trim().to_owned()));
    }
    found.ok_or_else(|| format!("it has no section `[{name}]`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "
# shared by all
[one]
host=db.example
port = 5433

[two]
host=b
garbage

[three]
service=one
";

    #[test]
    fn a_service_has_the_parameters_of_its_section() {
        let of = |name| find(FILE, name);
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        assert_eq!(of("one"), Ok(vec![pair("host", "db.example"), pair("port", "5433")]));
        assert_eq!(of("two").unwrap_err(), "line 9 is not of the form `key=value`");
        assert_eq!(of("three").unwrap_err(), "line 12: a service cannot name another one");
        assert_eq!(of("four").unwrap_err(), "it has no section `[four]`");
    }
}
