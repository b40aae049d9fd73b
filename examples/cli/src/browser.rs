//! Opens a page in the user's browser. All users of a machine can see the arguments of its processes, so the browser is
//! not given the page's address, which contains a token, but the path of a file that redirects to it.

use std::fs::{OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};

use tempfile::TempDir;

/// A file that redirects a browser to an address, in a folder that only this user can open. Both are removed when it is
/// dropped.
pub(crate) struct Redirect(TempDir);

impl Redirect {
    /// Writes the file. The address must not contain characters that HTML escapes.
    pub(crate) fn to(address: &str) -> io::Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("workflow-studio-")
            .permissions(Permissions::from_mode(0o700))
            .tempdir()?;
        let redirect = Self(folder);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(redirect.path())?;
        write!(
            file,
            "<!doctype html>\n<meta charset=\"utf-8\">\n<meta name=\"referrer\" content=\"no-referrer\">\n\
             <title>Workflow studio</title>\n<meta http-equiv=\"refresh\" content=\"0; url={address}\">\n\
             <p><a href=\"{address}\">Open the studio</a>\n"
        )?;
        Ok(redirect)
    }

    /// Asks the desktop to open the file, and does not wait for the browser.
    pub(crate) fn open(&self) -> io::Result<()> {
        open::that_detached(self.path())
    }

    fn path(&self) -> std::path::PathBuf {
        self.0.path().join("studio.html")
    }
}
