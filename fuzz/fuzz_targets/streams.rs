//! Any bytes as the output of an agent: the first byte says of which one (Claude Code, Codex, Gemini CLI, Grok, or one
//! that speaks ACP), the second how it exits, the third where the stream is cut in two. Each reader makes the same of the whole and of
//! the pieces, and does not panic.
//!
//! `cargo fuzz run --sanitizer none streams -- -max_total_time=10 -max_len=4096`

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let [agent, code, cut, bytes @ ..] = input else { return };
    let code = (*code < 255).then_some(i32::from(*code));
    let cut = bytes.len() * usize::from(*cut) / 255;
    workflow_providers::fuzzing::stream(*agent, code, bytes, cut);
});
