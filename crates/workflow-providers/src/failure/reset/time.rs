//! Times of day.

use jiff::civil::Time;

use super::cursor::Cursor;

/// The time of day that comes next: `Ok(None)` if there is none, an error if it is not a time.
pub(super) fn read(cursor: &mut Cursor<'_>) -> Result<Option<Time>, ()> {
    let mut next = *cursor;
    if next.eat_word("midnight") {
        *cursor = next;
        return Ok(Some(Time::midnight()));
    }
    if next.eat_word("noon") {
        *cursor = next;
        return Ok(Some(Time::constant(12, 0, 0, 0)));
    }
    let Some(hour) = next.count::<i8>(2) else { return Ok(None) };
    let mut minute = None;
    let mut second = 0;
    if next.takes(":") {
        minute = Some(two(&mut next)?);
        if next.takes(":") {
            second = two(&mut next)?;
            if next.takes(".") {
                next.digits().ok_or(())?;
            }
        }
    }
    let half = half(&mut next);
    let hour = match (half, hour) {
        (Some(_), 0 | 13..) => return Err(()),
        (Some(is_afternoon), 12) => {
            if is_afternoon {
                12
            } else {
                0
            }
        }
        (Some(is_afternoon), hour) => {
            if is_afternoon {
                hour + 12
            } else {
                hour
            }
        }
        // A number alone is not a time.
        (None, _) if minute.is_none() => return Ok(None),
        (None, hour) => hour,
    };
    *cursor = next;
    // A leap second is the next one here.
    let second = if second == 60 { 59 } else { second };
    Time::new(hour, minute.unwrap_or(0), second, 0).map(Some).map_err(|_| ())
}

fn two(cursor: &mut Cursor<'_>) -> Result<i8, ()> {
    cursor.digits().filter(|digits| digits.len() == 2).and_then(|digits| digits.parse().ok()).ok_or(())
}

/// Whether `PM` comes next, if it or `AM` does.
fn half(cursor: &mut Cursor<'_>) -> Option<bool> {
    let mut next = *cursor;
    next.spaces();
    let is_afternoon = match next.word() {
        "am" => false,
        "pm" => true,
        letter @ ("a" | "p") if next.takes(".") => {
            next.spaces();
            (next.word() == "m").then_some(())?;
            next.takes(".");
            letter == "p"
        }
        _ => return None,
    };
    *cursor = next;
    Some(is_afternoon)
}
