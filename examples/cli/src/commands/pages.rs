//! `completions` and `man`: the command line, for shells and for `man`.

use clap::CommandFactory as _;
use clap_complete::Shell;
use clap_mangen::Man;

use crate::args::Args;
use crate::error::Error;
use crate::exit::Exit;
use crate::print;

/// Prints a script that completes the command line in a shell.
pub(crate) fn completions(shell: Shell) -> Result<Exit, Error> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "workflow", &mut script);
    print::document(&String::from_utf8_lossy(&script))?;
    Ok(Exit::DONE)
}

/// Prints the manual page of the program, or of one of its commands.
pub(crate) fn man(command: Option<&str>) -> Result<Exit, Error> {
    let mut program = Args::command();
    // Gives commands their whole names.
    program.build();
    let mut title = "workflow".to_owned();
    if let Some(name) = command {
        let Some(found) = program.find_subcommand(name) else {
            let message = format!("there is no command `{name}`: `workflow --help` lists them");
            return Err(Error::Refused(message));
        };
        (title, program) = (format!("workflow-{name}"), found.clone());
    }
    let mut text = Vec::new();
    Man::new(program).title(title).render(&mut text).map_err(Error::System)?;
    // The lists after the options keep their lines.
    let text = String::from_utf8_lossy(&text).replacen(".SH EXTRA\n", ".SH DETAILS\n.nf\n", 1);
    print::document(&text.replacen("\n.SH VERSION", "\n.fi\n.SH VERSION", 1))?;
    Ok(Exit::DONE)
}
