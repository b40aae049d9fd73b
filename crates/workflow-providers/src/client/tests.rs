//! Names whose addresses change.
#![allow(clippy::unwrap_used, reason = "a test that cannot continue has failed")]

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use futures::executor::block_on;
use hyper::{HeaderMap, Method};

use super::*;

/// A service that answers every connection with this response, and counts them.
fn service(response: &'static str) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (port, count) = (listener.local_addr().unwrap().port(), Arc::new(AtomicUsize::new(0)));
    let counted = count.clone();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            counted.fetch_add(1, Ordering::SeqCst);
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(response.as_bytes());
        }
    });
    (port, count)
}

fn send(connector: Connector, url: &str) -> Result<u16, SendError> {
    let uri = parse(url).unwrap();
    let request = Outgoing { method: Method::GET, uri, headers: HeaderMap::new(), body: None, redirects: 5 };
    block_on(Client(Arc::new(connector)).send(request)).map(|incoming| incoming.status.as_u16())
}

/// A connector for which the n-th look-up of any name finds the n-th address.
fn changing(network: Network, addresses: &'static [&'static str]) -> (Connector, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    let connector = Connector::with_look_up(network, move |_, port| {
        let number = counted.fetch_add(1, Ordering::SeqCst);
        Ok(vec![SocketAddr::new(addresses[number].parse().unwrap(), port)])
    });
    (connector, count)
}

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

#[test]
fn the_address_that_was_checked_is_the_one_that_is_connected_to() {
    let (port, connections) = service(OK);
    let network = || Network::public().allow_private("good.test").unwrap();
    let (connector, look_ups) = changing(network(), &["127.0.0.1", "192.0.2.1"]);
    assert_eq!(send(connector, &format!("http://good.test:{port}/")), Ok(200));
    assert_eq!((look_ups.load(Ordering::SeqCst), connections.load(Ordering::SeqCst)), (1, 1));
    // A public name that turns into an address of this machine.
    let (connector, _) = changing(network(), &["127.0.0.1"]);
    let error = send(connector, &format!("http://evil.test:{port}/")).unwrap_err();
    assert!(matches!(&error, SendError::Refused(why) if why.contains("127.0.0.1")), "{error:?}");
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}

#[test]
fn a_name_is_checked_again_after_a_redirect() {
    let again = "HTTP/1.1 302 Found\r\nlocation: /again\r\ncontent-length: 0\r\n\r\n";
    let (port, connections) = service(again);
    let network = Network::public().allow_private("good.test").unwrap();
    let (connector, look_ups) = changing(network, &["127.0.0.1", "169.254.169.254"]);
    let error = send(connector, &format!("http://good.test:{port}/")).unwrap_err();
    assert!(matches!(&error, SendError::Refused(why) if why.contains("local link")), "{error:?}");
    assert_eq!((look_ups.load(Ordering::SeqCst), connections.load(Ordering::SeqCst)), (2, 1));
}
