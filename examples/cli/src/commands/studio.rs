//! `studio`: the web page that people run workflows from.

use std::future::pending;
use std::net::Ipv4Addr;
use std::time::Duration;

use futures::channel::oneshot;
use futures::future::{Either, FutureExt as _, select};
use futures_timer::Delay;
use tokio::net::TcpListener;
use workflow_service::http::{self, Options, Tokens};
use workflow_service::{Caller, Scope};

use crate::args::StudioArgs;
use crate::browser::Redirect;
use crate::commands::serve::{Server, random_token};
use crate::error::Error;
use crate::exit::Exit;
use crate::host::{Beside, user};
use crate::print;
use crate::store_url::Place;

/// How long a browser may take to open the file with the address.
const OPENING: Duration = Duration::from_secs(30);

/// Serves the page until a signal arrives.
pub(crate) async fn studio(place: &Place, args: &StudioArgs) -> Result<Exit, Error> {
    let site = workflow_studio::site().ok_or_else(|| {
        Error::Refused(
            "the files of the page are missing: build the program again, with --release".to_owned(),
        )
    })?;
    let server = Server::start(place, args.no_worker, &Beside::default(), None).await?;
    let bound = server.runtime.spawn(TcpListener::bind((Ipv4Addr::LOCALHOST, args.port))).await;
    let bound = bound.map_err(|error| Error::System(error.into()))?;
    let listener = bound.map_err(|error| {
        let port = args.port;
        Error::Refused(format!(
            "127.0.0.1:{port}: {error}: if another studio runs, use its page, or choose a free port with `--port 0`"
        ))
    })?;
    let token = random_token()?;
    let mut tokens = Tokens::default();
    let caller = Caller::new(user(), "studio").scopes(Scope::ALL);
    tokens.add(&token, caller).map_err(|weak| Error::Refused(weak.to_string()))?;
    let mut options = Options::new(tokens);
    options.site = Some(site);
    // Browsers do not send the part behind `#` to servers.
    let address = format!("http://{}/#t={token}", listener.local_addr().map_err(Error::System)?);
    print::line(&address)?;
    print::to_stderr("Ctrl-C ends the studio; runs that are under way then resume when it is started again");
    let redirect = (!args.no_open).then(|| open(&address)).flatten();
    let (stop, stopped) = oneshot::channel::<()>();
    let service = server.service.clone();
    let serving = server.runtime.spawn(http::serve(service, listener, options, stopped.map(drop)));
    let served = async move {
        let opened = Box::pin(async move {
            Delay::new(OPENING).await;
            drop(redirect);
            pending::<()>().await;
        });
        match select(serving, opened).await {
            Either::Left((served, _)) => {
                served.map_err(|error| Error::System(error.into()))?.map_err(Error::System)
            }
            Either::Right(((), _)) => Ok(()),
        }
    };
    server.until_stopped(served.boxed(), stop).await
}

/// Opens the browser. Without one the user still has the address.
fn open(address: &str) -> Option<Redirect> {
    let opened = Redirect::to(address).and_then(|redirect| redirect.open().map(|()| redirect));
    opened
        .inspect_err(|error| {
            print::to_stderr(&format!("cannot open a browser ({error}): open the address above in one"));
        })
        .ok()
}
