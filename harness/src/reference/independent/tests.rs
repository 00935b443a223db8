use super::*;
use crate::reference::adapter::tests::{Curl, curl};
use crate::reference::content::Tree;

fn started() -> Independent {
    let mut tree = Tree::default();
    tree.insert("dir/0021f222b01d.cfg", vec![b'x'; 2_537])
        .unwrap();
    let any = SocketAddrV4::new(std::net::Ipv4Addr::LOCALHOST, 0);
    Independent::start(Source::tree(tree), any).unwrap()
}

#[test]
fn serves_the_same_content() {
    let server = started();
    let address = server.address();
    let Curl::Ran { status, body } = curl(&[&format!("tftp://{address}/dir/0021f222b01d.cfg")])
    else {
        return;
    };
    assert_eq!(status, 0);
    assert_eq!(body, vec![b'x'; 2_537]);
    let Curl::Ran { status, .. } = curl(&[&format!("tftp://{address}/none.cfg")]) else {
        return;
    };
    // 68: file not found on the TFTP server.
    assert_eq!(status, 68);
    assert_eq!(server.counters().value(Counter::TftpRead), 2);
    assert_eq!(server.counters().value(Counter::TftpNotFound), 1);
}

#[test]
fn frees_its_port_when_dropped() {
    let server = started();
    let address = server.address();
    let second = Independent::start(Source::tree(Tree::default()), address).unwrap_err();
    assert!(matches!(second, AdapterError::InUse { .. }), "{second}");
    drop(server);
    assert!(Independent::start(Source::tree(Tree::default()), address).is_ok());
}

#[test]
fn needs_a_concrete_address() {
    let anywhere = SocketAddrV4::new(std::net::Ipv4Addr::UNSPECIFIED, 0);
    let fault = Independent::start(Source::tree(Tree::default()), anywhere).unwrap_err();
    assert!(matches!(fault, AdapterError::Unspecified));
}
