//! Whose types appear in the public interface of the embassy backend.
//!
//! The crates below it are about to change; what users write against this one should not change with them.

use std::collections::BTreeSet;

use syn::visit::{self, Visit};
use syn::{ImplItem, Item, Path as TypePath, UseTree, Visibility};

use crate::sources;

/// The crates whose types are not to be seen.
fn is_hidden(name: &str) -> bool {
    name.starts_with("embassy_") || name == "smoltcp" || name == "heapless"
}

/// The names by which a file knows types of hidden crates.
#[derive(Default)]
struct Imports(BTreeSet<String>);

impl Imports {
    fn add(&mut self, tree: &UseTree, hidden: bool) {
        match tree {
            UseTree::Path(path) => {
                self.add(&path.tree, hidden || is_hidden(&path.ident.to_string()))
            }
            UseTree::Name(name) if hidden => drop(self.0.insert(name.ident.to_string())),
            UseTree::Rename(name) if hidden => drop(self.0.insert(name.rename.to_string())),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.add(tree, hidden)),
            UseTree::Glob(_) if hidden => panic!("a glob import hides where names come from"),
            _ => {}
        }
    }
}

/// The hidden types that public signatures name.
struct Signatures<'a> {
    imports: &'a Imports,
    seen: BTreeSet<String>,
}

impl<'ast> Visit<'ast> for Signatures<'_> {
    fn visit_path(&mut self, path: &'ast TypePath) {
        let names: Vec<_> = path
            .segments
            .iter()
            .map(|part| part.ident.to_string())
            .collect();
        if is_hidden(&names[0]) || self.imports.0.contains(&names[0]) {
            self.seen.insert(names.last().expect("a name").clone());
        }
        visit::visit_path(self, path);
    }
}

impl Signatures<'_> {
    fn look_at(&mut self, item: &Item) {
        match item {
            Item::Fn(item) if is_public(&item.vis) => self.visit_signature(&item.sig),
            Item::Const(item) if is_public(&item.vis) => self.visit_type(&item.ty),
            Item::Type(item) if is_public(&item.vis) => self.visit_item_type(item),
            Item::Enum(item) if is_public(&item.vis) => self.visit_item_enum(item),
            Item::Trait(item) if is_public(&item.vis) => self.visit_item_trait(item),
            Item::Use(item) if is_public(&item.vis) => {
                let mut exported = Imports::default();
                exported.add(&item.tree, false);
                self.seen.append(&mut exported.0);
            }
            Item::Struct(item) if is_public(&item.vis) => {
                self.visit_generics(&item.generics);
                let public = item.fields.iter().filter(|field| is_public(&field.vis));
                public.for_each(|field| self.visit_type(&field.ty));
            }
            Item::Impl(item) => {
                self.visit_generics(&item.generics);
                if let Some((path, _)) = &item.trait_ {
                    self.visit_path(path);
                }
                for member in &item.items {
                    match member {
                        ImplItem::Fn(f) if item.trait_.is_some() || is_public(&f.vis) => {
                            self.visit_signature(&f.sig);
                        }
                        ImplItem::Const(c) if is_public(&c.vis) => self.visit_type(&c.ty),
                        ImplItem::Type(member) => self.visit_type(&member.ty),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
}

fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

/// The hidden types in the public signatures of a source text, and hidden traits that are implemented.
fn hidden_types_of(source: &str) -> BTreeSet<String> {
    let file = syn::parse_file(source).expect("it compiles");
    let mut imports = Imports::default();
    for item in &file.items {
        if let Item::Use(item) = item {
            imports.add(&item.tree, false);
        }
    }
    let mut signatures = Signatures {
        imports: &imports,
        seen: BTreeSet::new(),
    };
    file.items.iter().for_each(|item| signatures.look_at(item));
    signatures.seen
}

#[test]
fn no_type_of_the_stack_but_the_stack_itself_is_in_the_public_interface() {
    let backend = sources::root().join("backend-embassy/src");
    // The driver of the wire is private, and implements what drivers implement.
    let driver = [
        "Capabilities",
        "Driver",
        "HardwareAddress",
        "LinkState",
        "RxToken",
        "TxToken",
    ];
    let mut seen = BTreeSet::new();
    for file in sources::rust_files(&backend) {
        let mut hidden = hidden_types_of(&sources::read(&file));
        if file.ends_with("testing/wire.rs") || file.ends_with("testing/time.rs") {
            hidden.retain(|name| !driver.contains(&name.as_str()));
        }
        seen.append(&mut hidden);
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), ["Stack"]);
}

#[test]
fn a_type_of_the_stack_is_found_wherever_it_is_public() {
    let found = |source: &str| hidden_types_of(source).into_iter().collect::<Vec<_>>();
    let import = "use embassy_net::{tcp::State, Stack as S, IpEndpoint}; pub struct A;";
    for (public, name) in [
        (
            "impl A { pub fn f(&self) -> Option<State> { None } }",
            "State",
        ),
        ("pub struct B { pub at: IpEndpoint }", "IpEndpoint"),
        ("pub fn f(_: S<'static>) {}", "S"),
        ("pub enum E { F(embassy_net::tcp::Error) }", "Error"),
        (
            "impl From<State> for A { fn from(_: State) -> Self { A } }",
            "State",
        ),
        ("impl Iterator for A { type Item = State; }", "State"),
        ("pub use embassy_time::Instant;", "Instant"),
    ] {
        assert_eq!(found(&format!("{import} {public}")), [name], "{public}");
    }
    for private in [
        "impl A { fn f(&self) -> Option<State> { None } }",
        "pub struct B { at: IpEndpoint }",
        "pub(crate) fn f(_: S<'static>) {}",
    ] {
        assert!(
            found(&format!("{import} {private}")).is_empty(),
            "{private}"
        );
    }
}
