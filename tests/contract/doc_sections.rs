//! Every public async function documents what it fails with and what a dropped future leaves behind.
//!
//! What macros generate is not seen here.

use std::path::Path;

use syn::punctuated::Punctuated;
use syn::{
    Attribute, Expr, FnArg, GenericArgument, GenericParam, ImplItem, Item, Lit, Meta,
    PathArguments, ReturnType, Signature, Token, TraitItem, Type, TypeParamBound, Visibility,
    WherePredicate,
};

use crate::sources;

/// Where public code lives. A package that is not there yet is left out.
const FOLDERS: [&str; 5] = [
    "core/src",
    "backend-std/src",
    "backend-embassy/src",
    "tls/src",
    "examples/src",
];

#[test]
fn every_public_async_function_documents_its_errors_and_its_cancel_safety() {
    let mut complaints = Vec::new();
    let mut seen = 0;
    for folder in FOLDERS.map(|folder| sources::root().join(folder)) {
        if folder.is_dir() {
            for path in sources::rust_files(&folder) {
                let (found, functions) = check(&path, &sources::read(&path));
                complaints.extend(found);
                seen += functions;
            }
        }
    }
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
    assert!(seen > 5, "only {seen} functions were found at all");
}

/// Checks the text of a file. Returns the complaints, and how many public async functions there are.
fn check(path: &Path, text: &str) -> (Vec<String>, usize) {
    let shown = sources::shown(path);
    let file = syn::parse_file(text).unwrap_or_else(|error| panic!("{shown}: {error}"));
    let mut report = Report {
        shown,
        complaints: Vec::new(),
        functions: 0,
    };
    if !is_for_tests(&file.attrs) {
        report.items(&file.items);
    }
    (report.complaints, report.functions)
}

struct Report {
    shown: String,
    complaints: Vec<String>,
    functions: usize,
}

impl Report {
    fn items(&mut self, items: &[Item]) {
        for item in items {
            match item {
                Item::Fn(item) if is_public(&item.vis) && !is_for_tests(&item.attrs) => {
                    self.function("", &item.sig, &item.attrs);
                }
                Item::Impl(item) if item.trait_.is_none() && !is_for_tests(&item.attrs) => {
                    let owner = type_name(&item.self_ty);
                    for item in &item.items {
                        if let ImplItem::Fn(item) = item
                            && is_public(&item.vis)
                        {
                            self.function(&owner, &item.sig, &item.attrs);
                        }
                    }
                }
                Item::Trait(item) if is_public(&item.vis) && !is_for_tests(&item.attrs) => {
                    let owner = item.ident.to_string();
                    for item in &item.items {
                        if let TraitItem::Fn(item) = item {
                            self.function(&owner, &item.sig, &item.attrs);
                        }
                    }
                }
                Item::Mod(item) if !is_for_tests(&item.attrs) => {
                    if let Some((_, items)) = &item.content {
                        self.items(items);
                    }
                }
                _ => {}
            }
        }
    }

    fn function(&mut self, owner: &str, signature: &Signature, attributes: &[Attribute]) {
        let output = match &signature.output {
            ReturnType::Default => None,
            ReturnType::Type(_, output) => Some(&**output),
        };
        let output = match (&signature.asyncness, output.map(future_output)) {
            (Some(_), _) => output,
            (None, Some(Some(output))) => output,
            (None, _) => return,
        };
        self.functions += 1;
        let docs = docs(attributes);
        if output.is_some_and(is_result) && section(&docs, "# Errors").is_none() {
            self.complain(owner, signature, "returns a Result without `# Errors`");
        }
        match section(&docs, "# Cancel safety") {
            None => self.complain(owner, signature, "no `# Cancel safety`"),
            Some(text) if text.starts_with("Safe.") || text.starts_with("Not safe.") => {}
            Some(text) if text.starts_with("As safe as ") && takes_a_future(signature) => {}
            Some(_) => self.complain(
                owner,
                signature,
                "`# Cancel safety` starts with neither \"Safe.\" nor \"Not safe.\"",
            ),
        }
    }

    fn complain(&mut self, owner: &str, signature: &Signature, complaint: &str) {
        let name = &signature.ident;
        let line = name.span().start().line;
        let colons = if owner.is_empty() { "" } else { "::" };
        let shown = &self.shown;
        self.complaints.push(format!(
            "{shown}:{line}: {owner}{colons}{name}: {complaint}"
        ));
    }
}

fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

/// Whether an item is compiled for tests only.
fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute
                .parse_args::<Meta>()
                .is_ok_and(|condition| demands_test(&condition))
    })
}

fn demands_test(condition: &Meta) -> bool {
    match condition {
        Meta::Path(path) => path.is_ident("test"),
        Meta::List(list) if list.path.is_ident("all") => list
            .parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated)
            .is_ok_and(|conditions| conditions.iter().any(demands_test)),
        _ => false,
    }
}

/// The doc comment, a line each.
fn docs(attributes: &[Attribute]) -> Vec<String> {
    let mut lines = Vec::new();
    for attribute in attributes {
        if let Meta::NameValue(meta) = &attribute.meta
            && meta.path.is_ident("doc")
            && let Expr::Lit(literal) = &meta.value
            && let Lit::Str(text) = &literal.lit
        {
            lines.extend(text.value().lines().map(|line| line.trim().to_owned()));
        }
    }
    lines
}

/// The first line of text below a heading, if there is both.
fn section<'d>(docs: &'d [String], heading: &str) -> Option<&'d str> {
    let mut in_example = false;
    let mut lines = docs.iter().filter(move |line| {
        in_example ^= line.starts_with("```");
        !in_example
    });
    lines.find(|line| *line == heading)?;
    let text = lines.find(|line| !line.is_empty())?;
    (!text.starts_with('#')).then_some(text)
}

/// What an `impl Future` makes: `None` if this is none, `Some(None)` if it does not say.
fn future_output(output: &Type) -> Option<Option<&Type>> {
    let Type::ImplTrait(output) = output else {
        return None;
    };
    output.bounds.iter().find_map(|bound| {
        let TypeParamBound::Trait(bound) = bound else {
            return None;
        };
        let name = bound.path.segments.last()?;
        if name.ident != "Future" {
            return None;
        }
        let PathArguments::AngleBracketed(arguments) = &name.arguments else {
            return Some(None);
        };
        Some(arguments.args.iter().find_map(|argument| match argument {
            GenericArgument::AssocType(made) if made.ident == "Output" => Some(&made.ty),
            _ => None,
        }))
    })
}

fn is_result(output: &Type) -> bool {
    type_name(output).ends_with("Result")
}

/// The last word of a type's path.
fn type_name(named: &Type) -> String {
    match named {
        Type::Path(named) => named.path.segments.last(),
        _ => None,
    }
    .map_or_else(String::new, |segment| segment.ident.to_string())
}

/// Whether the caller hands in a future to be run.
fn takes_a_future(signature: &Signature) -> bool {
    let is_future = |bound: &TypeParamBound| {
        let TypeParamBound::Trait(bound) = bound else {
            return false;
        };
        bound.path.segments.last().is_some_and(|segment| {
            let name = segment.ident.to_string();
            name.ends_with("Future") || name.starts_with("AsyncFn")
        })
    };
    let in_arguments = signature.inputs.iter().any(|input| match input {
        FnArg::Typed(input) => match &*input.ty {
            Type::ImplTrait(input) => input.bounds.iter().any(is_future),
            _ => false,
        },
        FnArg::Receiver(_) => false,
    });
    let in_parameters = signature
        .generics
        .params
        .iter()
        .any(|parameter| match parameter {
            GenericParam::Type(parameter) => parameter.bounds.iter().any(is_future),
            _ => false,
        });
    let predicates = signature.generics.where_clause.iter();
    let in_where =
        predicates
            .flat_map(|clause| &clause.predicates)
            .any(|predicate| match predicate {
                WherePredicate::Type(predicate) => predicate.bounds.iter().any(is_future),
                _ => false,
            });
    in_arguments || in_parameters || in_where
}

/// The complaints about a piece of code.
fn complaints(code: &str) -> Vec<String> {
    check(Path::new("snippet.rs"), code).0
}

#[track_caller]
fn assert_one_complaint(code: &str, complaint: &str) {
    let found = complaints(code);
    match found.as_slice() {
        [one] => assert!(one.contains(complaint), "{one}"),
        _ => panic!("not one complaint: {found:?}"),
    }
}

const GOOD: &str = "
    /// Connects.
    ///
    /// # Errors
    ///
    /// Broken.
    ///
    /// # Cancel safety
    ///
    /// Safe. It takes nothing.
    pub async fn connect() -> Result<(), IoError> {}
";

#[test]
fn a_documented_function_passes_and_each_missing_section_is_reported() {
    assert_eq!(complaints(GOOD), Vec::<String>::new());
    assert_one_complaint(&GOOD.replace("# Errors", "Errors"), "without `# Errors`");
    assert_one_complaint(&GOOD.replace("# Cancel", "Cancel"), "no `# Cancel safety`");
    assert_one_complaint(&GOOD.replace("Safe.", "Perhaps."), "starts with neither");
    assert_one_complaint(&GOOD.replace("Safe. It takes nothing.", ""), "no `# Cancel");
    assert_eq!(
        complaints(&GOOD.replace("Safe.", "Not safe.")),
        Vec::<String>::new()
    );
}

#[test]
fn a_complaint_names_the_file_the_line_and_the_item() {
    let code = "struct A;\nimpl A {\n    pub async fn go(&self) {}\n}\n";
    assert_eq!(
        complaints(code),
        ["snippet.rs:3: A::go: no `# Cancel safety`"]
    );
}

#[test]
fn every_form_of_a_public_async_function_is_seen() {
    for code in [
        "pub async fn go() {}",
        "pub fn go() -> impl Future<Output = ()> {}",
        "pub fn go() -> impl Send + core::future::Future<Output = u8> {}",
        "impl A { pub async fn go(&self) {} }",
        "impl A { pub fn go(&self) -> impl Future<Output = ()> {} }",
        "pub trait A { async fn go(&self); }",
        "pub trait A { fn go(&self) -> impl Future<Output = ()> { x } }",
        "mod inner { pub async fn go() {} }",
        "#[cfg(feature = \"testing\")] mod kit { pub async fn go() {} }",
        "#[cfg(unix)] mod os { pub async fn go() {} }",
        "#[cfg(not(test))] pub async fn go() {}",
        "#[cfg(any(test, unix))] pub async fn go() {}",
    ] {
        assert_one_complaint(code, "go: no `# Cancel safety`");
    }
}

#[test]
fn every_form_of_a_result_is_seen() {
    const SAFE: &str = "/// # Cancel safety\n/// Safe.\n";
    for code in [
        "pub async fn go() -> std::io::Result<()> {}",
        "pub async fn go() -> Result<(), E> {}",
        "pub fn go() -> impl Future<Output = Result<(), E>> {}",
    ] {
        assert_one_complaint(&format!("{SAFE}{code}"), "go: returns a Result");
    }
    assert_eq!(
        complaints(&format!("{SAFE}pub async fn go() -> usize {{}}")),
        Vec::<String>::new()
    );
}

#[test]
fn private_functions_trait_implementations_and_tests_are_exempt() {
    for code in [
        "async fn go() {}",
        "pub(crate) async fn go() {}",
        "impl A { async fn go(&self) {} }",
        "impl Go for A { async fn go(&self) {} }",
        "trait Private { async fn go(&self); }",
        "#[cfg(test)] mod tests { pub async fn go() {} }",
        "#[cfg(all(test, loom))] mod loom_tests { pub async fn go() {} }",
        "pub fn go() {}",
    ] {
        assert_eq!(complaints(code), Vec::<String>::new(), "{code}");
    }
}

#[test]
fn only_a_function_that_runs_a_future_may_be_as_safe_as_something() {
    const AS_SAFE: &str = "/// # Cancel safety\n/// As safe as `future` is.\n";
    for code in [
        "pub async fn go<F: Future>(future: F) {}",
        "pub async fn go<F>(future: F) where F: Future {}",
        "pub async fn go(future: impl core::future::IntoFuture) {}",
        "pub async fn go(body: impl AsyncFnOnce(&Group)) {}",
    ] {
        assert_eq!(
            complaints(&format!("{AS_SAFE}{code}")),
            Vec::<String>::new()
        );
    }
    assert_one_complaint(&format!("{AS_SAFE}pub async fn go() {{}}"), "neither");
}

#[test]
fn a_heading_inside_an_example_does_not_count() {
    assert_one_complaint(
        "/// ```text\n/// # Cancel safety\n/// Safe.\n/// ```\npub async fn go() {}",
        "no `# Cancel safety`",
    );
}
