//! Every form of a reset time, in several zones, before and after the time itself. The expected values were
//! computed with another implementation of the zone database.
#![allow(clippy::unwrap_used, reason = "a test that cannot continue has failed")]

use jiff::tz::TimeZone;

use super::*;

/// Each line: the zone, the moment, the expected time or `past`, `unclear`, `none`, and the text.
const TABLE: &str = include_str!("table.txt");

#[test]
fn every_form_in_every_zone_before_and_after_is_told_right() {
    let (mut rows, mut wrong) = (0, Vec::new());
    for line in TABLE.lines().filter(|line| !line.starts_with('#')) {
        let mut columns = line.splitn(4, " | ");
        let mut column = || columns.next().unwrap();
        let (zone, now, expected, text) = (column(), column(), column(), column());
        let zone = TimeZone::get(zone).unwrap();
        let here = Here { now: now.parse().unwrap(), zone: &zone };
        let told = match read(text, &here) {
            Some(Told::At(at)) => at.to_string(),
            Some(Told::Past) => "past".to_owned(),
            Some(Told::Unclear) => "unclear".to_owned(),
            None => "none".to_owned(),
        };
        rows += 1;
        if told != expected {
            wrong.push(format!("{line}\n    found {told}"));
        }
    }
    assert!(rows >= 150, "{rows} rows");
    assert!(wrong.is_empty(), "{} of {rows} are wrong:\n{}", wrong.len(), wrong.join("\n"));
}
