//! What is drawn on terminals of several sizes.

use ratatui::crossterm::event::KeyCode;
use serde_json::{Value, json};

use super::made::{
    asking, detail, failing, line, list, listed, page, press, question, record, screen, typed, working,
};
use crate::top::message::{Event, Outcome};
use crate::top::model::Model;

const SIZES: [(u16, u16); 3] = [(120, 40), (80, 24), (40, 12)];

/// Every screen, by its name.
fn screens() -> Vec<(&'static str, Model)> {
    let holder = Some("process 7 on build-1");
    let keyed = |mut model: Model, keys: &[KeyCode]| {
        press(&mut model, keys);
        model
    };
    let question = question("question", &json!({ "enum": ["yes", "no", 3] }));
    let mut empty = Model::new(super::made::now());
    empty.update(Event::Runs(crate::top::message::Listed::default()));
    let mut stale = list();
    stale.update(Event::Unreadable("the database is locked".to_owned()));
    vec![
        ("list", list()),
        ("list_help", keyed(list(), &[KeyCode::Char('?')])),
        ("list_filtered", keyed(list(), &typed("/blue"))),
        ("list_empty", empty),
        ("list_stale", stale),
        ("working", page(&working(), holder)),
        ("not_driven", page(&working(), None)),
        ("waiting", page(&asking("Ship it to all customers? The tests passed."), None)),
        ("failed", page(&failing("the key is not accepted"), None)),
        ("page_help", keyed(page(&working(), holder), &[KeyCode::Char('?')])),
        ("approving", keyed(page(&asking("Ship it?"), None), &[KeyCode::Char('a')])),
        ("choosing", keyed(page(&question, holder), &[KeyCode::Char('a')])),
        ("cancelling", keyed(page(&working(), holder), &[KeyCode::Char('c')])),
        ("log", keyed(page(&working(), holder), &[KeyCode::Tab, KeyCode::PageUp])),
    ]
}

#[test]
fn every_screen_fits_every_size() {
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"\d{4}-\d\d-\d\d", "[a date]");
    settings.add_filter(r"\b\d\d:\d\d:\d\d\b", "[a time]");
    settings.set_omit_expression(true);
    settings.bind(|| {
        for (name, mut model) in screens() {
            for (width, height) in SIZES {
                let drawn = screen(&mut model, width, height);
                insta::assert_snapshot!(format!("{name}_{width}x{height}"), drawn);
            }
        }
    });
}

#[test]
fn no_size_is_too_small_to_say_so() {
    for (name, mut model) in screens() {
        for width in [1, 2, 9, 10, 25, 39, 40, 41, 45, 71, 72, 80, 200] {
            for height in [1, 2, 6, 11, 12, 13, 17, 18, 19, 24, 60] {
                let drawn = screen(&mut model, width, height);
                let fits = width >= 40 && height >= 12;
                let says = drawn.contains("workflow");
                assert!(fits || says || width < 10, "{name} at {width}×{height}: {drawn}");
            }
        }
    }
}

#[test]
fn nothing_that_a_terminal_acts_on_is_drawn() {
    const EVIL: &str = "a\u{1b}[31mred\u{1b}]0;title\u{7}\u{202e}fdp\u{200b}\r日本語\u{9b}2J";
    let mut models: Vec<Model> = Vec::new();
    for events in [asking(EVIL), failing(EVIL)] {
        let mut model = page(&events, Some(EVIL));
        let mut detail = detail(&events, Some(EVIL));
        std::sync::Arc::get_mut(&mut detail.plan).unwrap().name = EVIL.to_owned();
        model.update(Event::Run(detail));
        let lines = vec![line(99, EVIL)];
        model.update(Event::Lines { run: "r1".parse().unwrap(), lines, from_start: true });
        models.push(model);
    }
    let mut dialog = page(&asking(EVIL), None);
    press(&mut dialog, &[KeyCode::Char('a')]);
    dialog.dialog.as_mut().unwrap().problem = Some(EVIL.to_owned());
    models.push(dialog);
    let mut runs = listed();
    let wait: Value = json!({ "reason": "question", "number": 1, "question": EVIL, "place": EVIL });
    let head = json!({ "status": "paused", "wait": wait, "holder": EVIL, "labels": { "a": EVIL } });
    runs.runs.push(record("evil", "evil", 6, &head));
    let mut model = Model::new(super::made::now());
    model.update(Event::Runs(runs));
    models.push(model);
    let mut refused = page(&working(), None);
    let (run, control) = ("r1".parse().unwrap(), workflow_core::store::Control::Pause);
    refused.update(Event::Sent { run, control, outcome: Outcome::Refused(EVIL.to_owned()) });
    models.push(refused);
    for mut model in models {
        for (width, height) in SIZES {
            let drawn = screen(&mut model, width, height);
            let acts = |c: char| (c.is_control() && c != '\n') || "\u{202e}\u{200b}\u{9b}".contains(c);
            assert!(!drawn.contains(acts), "{drawn:?}");
            assert!(drawn.contains('␛') || width == 40, "{drawn}");
        }
    }
}
