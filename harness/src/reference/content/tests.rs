use super::*;
use proptest::prelude::*;

fn tree(files: &[(&str, &str)]) -> Source {
    let mut tree = Tree::default();
    for (path, text) in files {
        tree.insert(path, text.as_bytes()).unwrap();
    }
    Source::tree(tree)
}

fn text(found: Result<File, Absent>) -> Result<String, Absent> {
    found.map(|file| String::from_utf8(file.bytes.to_vec()).unwrap())
}

fn directory(limit: u64) -> (tempfile::TempDir, Source) {
    let home = tempfile::tempdir().unwrap();
    let root = home.path().join("root");
    fs::create_dir_all(root.join("sub")).unwrap();
    fs::write(root.join("phone.cfg"), "inside").unwrap();
    fs::write(root.join("sub/deep file.cfg"), "deep").unwrap();
    fs::write(home.path().join("secret"), "outside").unwrap();
    let source = Source::Directory(Arc::new(Directory::open(&root, limit).unwrap()));
    (home, source)
}

#[test]
fn finds_a_name_with_and_without_leading_slash_and_minds_its_case() {
    let source = tree(&[("/0021f222b01d.cfg", "a"), ("a/b/C.md5", "b")]);
    for name in [
        "0021f222b01d.cfg",
        "/0021f222b01d.cfg",
        "//0021f222b01d.cfg",
    ] {
        assert_eq!(text(source.find(name.as_bytes())).unwrap(), "a");
    }
    assert_eq!(text(source.find(b"/a/b/C.md5")).unwrap(), "b");
    assert_eq!(text(source.find(b"a/b/c.md5")), Err(Absent::Missing));
    assert_eq!(text(source.find(b"")), Err(Absent::Missing));
}

#[test]
fn refuses_paths_that_lead_out_of_the_root() {
    let source = tree(&[("x", "x")]);
    for path in ["../x", "a/../x", "/..", "x/..", "a\0b"] {
        assert_eq!(text(source.find(path.as_bytes())), Err(Absent::Refused));
    }
    assert_eq!(text(source.find_target("/%2e%2e/x")), Err(Absent::Refused));
    assert_eq!(text(source.find_target("/..?x")), Err(Absent::Refused));
    assert_eq!(text(source.find(b"..x")), Err(Absent::Missing));
    let mut tree = Tree::default();
    assert_eq!(tree.insert("a/../b", *b""), Err(Absent::Refused));
    assert!(tree.is_empty());
}

#[test]
fn prefers_the_whole_target_over_the_path_without_its_query() {
    let source = tree(&[
        ("app?class=sip;mac_address=0009", "exact"),
        ("app", "plain"),
        ("HTTP Directory/sip.cfg", "spaces"),
    ]);
    let find = |target| text(source.find_target(target));
    assert_eq!(find("/app?class=sip;mac_address=0009").unwrap(), "exact");
    assert_eq!(find("/app?class=other").unwrap(), "plain");
    assert_eq!(find("/app").unwrap(), "plain");
    assert_eq!(find("/HTTP%20Directory/sip.cfg").unwrap(), "spaces");
    assert_eq!(find("/bad%2"), Err(Absent::Refused));
    assert_eq!(find("/bad%+1x"), Err(Absent::Refused));
}

#[test]
fn a_file_knows_its_md5() {
    let file = File::new(Arc::from(*b"abc"));
    let hex: String = file.md5.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, "900150983cd24fb0d6963f7d28e17f72");
}

#[test]
fn lists_a_tree_in_the_order_of_its_paths() {
    let mut tree = Tree::default();
    for name in ["b", "a", "c"] {
        tree.insert(name, *b"").unwrap();
    }
    let names: Vec<_> = tree.sorted().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, [b"a", b"b", b"c"]);
    assert_eq!(tree.len(), 3);
}

#[test]
fn serves_files_of_a_directory_and_only_those() {
    let (home, source) = directory(100);
    assert_eq!(text(source.find(b"/phone.cfg")).unwrap(), "inside");
    assert_eq!(
        text(source.find_target("/sub/deep%20file.cfg?x=1")).unwrap(),
        "deep"
    );
    for path in [
        "sub",
        "sub/",
        "none",
        "./phone.cfg",
        "sub//deep file.cfg",
        "phone.cfg/x",
        "",
    ] {
        assert_eq!(
            text(source.find(path.as_bytes())),
            Err(Absent::Missing),
            "{path}"
        );
    }
    assert_eq!(text(source.find(b"../secret")), Err(Absent::Refused));
    assert_eq!(text(source.find(&[b'x'; 5_000])), Err(Absent::Missing));
    drop(home);
}

#[test]
fn follows_symbolic_links_only_within_the_directory() {
    let (home, source) = directory(100);
    let root = home.path().join("root");
    std::os::unix::fs::symlink("../secret", root.join("out.cfg")).unwrap();
    std::os::unix::fs::symlink("phone.cfg", root.join("in.cfg")).unwrap();
    std::os::unix::fs::symlink("loop.cfg", root.join("loop.cfg")).unwrap();
    assert_eq!(text(source.find(b"out.cfg")), Err(Absent::Refused));
    assert_eq!(text(source.find(b"in.cfg")).unwrap(), "inside");
    assert_eq!(text(source.find(b"loop.cfg")), Err(Absent::Unreadable));
}

#[test]
fn shows_a_change_in_the_directory_at_once() {
    let (home, source) = directory(100);
    assert_eq!(text(source.find(b"phone.cfg")).unwrap(), "inside");
    assert_eq!(text(source.find(b"phone.cfg")).unwrap(), "inside");
    fs::write(home.path().join("root/new"), "INSIDE").unwrap();
    fs::rename(
        home.path().join("root/new"),
        home.path().join("root/phone.cfg"),
    )
    .unwrap();
    assert_eq!(text(source.find(b"phone.cfg")).unwrap(), "INSIDE");
    fs::remove_file(home.path().join("root/phone.cfg")).unwrap();
    assert_eq!(text(source.find(b"phone.cfg")), Err(Absent::Missing));
}

#[test]
fn refuses_files_over_the_limit_and_holds_repeated_ones_once() {
    let (_home, source) = directory(5);
    assert_eq!(text(source.find(b"phone.cfg")), Err(Absent::TooLarge));
    let first = source.find(b"sub/deep file.cfg").unwrap();
    let second = source.find(b"sub/deep file.cfg").unwrap();
    assert!(Arc::ptr_eq(&first.bytes, &second.bytes));
}

#[test]
fn says_so_when_there_is_no_such_directory() {
    assert!(Source::directory(Path::new("/no/such/place")).is_err());
    assert!(Source::directory(Path::new("/etc/hostname")).is_err());
}

proptest! {
    #[test]
    fn no_path_leaves_the_directory(path in prop::collection::vec(
        prop::sample::select(b"./a%2e\0secrt?".to_vec()), 0..24,
    )) {
        let (_home, source) = directory(100);
        let outside = |found: Result<File, Absent>| {
            found.is_ok_and(|file| &*file.bytes == b"outside")
        };
        prop_assert!(!outside(source.find(&path)));
        let target = String::from_utf8(path).unwrap();
        prop_assert!(!outside(source.find_target(&target)));
    }

    #[test]
    fn percent_decoding_undoes_encoding(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let encoded: String = bytes.iter().map(|byte| format!("%{byte:02X}")).collect();
        let decoded = percent_decoded(encoded.as_bytes()).unwrap();
        prop_assert_eq!(decoded.as_ref(), bytes.as_slice());
    }
}
