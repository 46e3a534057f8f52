//! Which package of this repository may depend on which.
//!
//! The streams of a protocol can be exchanged because nothing but the wiring knows two of them: every package depends on
//! core, and on no other one.

use toml::{Table, Value};

use crate::sources;

const CORE: &str = "tacket";

/// Folders with a workspace each: firmware has another compiler and other features, the fuzz targets have other flags.
const WORKSPACES: [&str; 3] = [".", "examples/firmware", "tests/fuzz"];

/// The packages and what each may depend on, in whatever section of its manifest.
const ARROWS: &[(&str, &[&str])] = &[
    (CORE, &[]),
    ("tacket-std", &[CORE]),
    ("tacket-embassy", &[CORE]),
    ("tacket-tls", &[CORE]),
    (
        "tacket-examples",
        &[
            CORE,
            "tacket-std",
            "tacket-embassy",
            "tacket-tls",
            "tacket-hil",
        ],
    ),
    ("tacket-hil", &[]),
    (
        "tacket-tests",
        &[
            CORE,
            "tacket-std",
            "tacket-embassy",
            "tacket-tls",
            "tacket-examples",
            "tacket-hil",
        ],
    ),
    ("tacket-fuzz", &["tacket-tests"]),
    ("tacket-board", &[]),
    (
        "tacket-firmware",
        &[
            CORE,
            "tacket-board",
            "tacket-embassy",
            "tacket-examples",
            "tacket-tls",
        ],
    ),
    (
        "tacket-firmware-heap",
        &[
            CORE,
            "tacket-board",
            "tacket-embassy",
            "tacket-examples",
            "tacket-firmware",
            "tacket-tls",
        ],
    ),
    (
        "tacket-firmware-names",
        &[
            CORE,
            "tacket-board",
            "tacket-embassy",
            "tacket-examples",
            "tacket-firmware",
            "tacket-tls",
        ],
    ),
    (
        "tacket-firmware-tests",
        &[CORE, "tacket-board", "tacket-embassy", "tacket-firmware"],
    ),
    (
        "tacket-firmware-parts",
        &[CORE, "tacket-board", "tacket-embassy"],
    ),
    (
        "tacket-firmware-direct",
        &[CORE, "tacket-board", "tacket-examples"],
    ),
    (
        "tacket-firmware-tls-contract",
        &[
            CORE,
            "tacket-board",
            "tacket-embassy",
            "tacket-firmware",
            "tacket-tls",
        ],
    ),
    (
        "tacket-firmware-tls-heap",
        &[
            CORE,
            "tacket-board",
            "tacket-firmware",
            "tacket-firmware-direct",
            "tacket-firmware-heap",
            "tacket-tls",
        ],
    ),
    (
        "tacket-firmware-tls",
        &[
            CORE,
            "tacket-board",
            "tacket-firmware",
            "tacket-firmware-direct",
            "tacket-tls",
        ],
    ),
];

/// These depend on themselves for their tests, to switch their testing kits on.
const HAVE_KITS: [&str; 2] = [CORE, "tacket-embassy"];

const SECTIONS: [&str; 3] = ["dependencies", "dev-dependencies", "build-dependencies"];

#[test]
fn every_package_depends_on_what_it_may_and_on_nothing_else() {
    let mut found = Vec::new();
    let mut packages = 0;
    for folder in WORKSPACES.map(|folder| sources::root().join(folder)) {
        let root = sources::read(&folder.join("Cargo.toml"));
        let workspace: Table = root.parse().expect("the workspace manifest is TOML");
        for member in member_folders(&workspace) {
            let manifest = folder.join(member).join("Cargo.toml");
            found.extend(violations(&root, &sources::read(&manifest)));
            packages += 1;
        }
    }
    assert!(found.is_empty(), "\n{}", found.join("\n"));
    assert_eq!(packages, ARROWS.len(), "a row without a package");
}

/// Every folder that holds a package of the workspace.
fn member_folders(workspace: &Table) -> Vec<String> {
    let members = workspace.get("workspace").and_then(|w| w.get("members"));
    let Some(members) = members.and_then(Value::as_array) else {
        return vec![".".to_owned()];
    };
    members
        .iter()
        .map(|member| {
            let folder = member.as_str().expect("a member is a path");
            assert!(
                !folder.contains('*'),
                "the members are written out, not {folder:?}"
            );
            folder.to_owned()
        })
        .collect()
}

/// Whatever `manifest` has that its package must not have. `workspace` is the manifest that it inherits from.
fn violations(workspace: &str, manifest: &str) -> Vec<String> {
    let workspace: Table = workspace.parse().expect("the workspace manifest is TOML");
    let manifest: Table = manifest.parse().expect("the manifest is TOML");
    let name = manifest.get("package").and_then(|p| p.get("name"));
    let name = name.and_then(Value::as_str).expect("the package's name");
    let Some((_, allowed)) = ARROWS.iter().find(|(package, _)| *package == name) else {
        return vec![format!(
            "{name}: this package has no row in the table of allowed arrows"
        )];
    };
    let mut violations = Vec::new();
    for dependency in dependencies(&workspace, &manifest) {
        let Dependency {
            section,
            package,
            in_workspace,
            default_features,
        } = dependency;
        let itself = package == name && HAVE_KITS.contains(&name) && section == "dev-dependencies";
        if in_workspace && !itself && !allowed.contains(&package.as_str()) {
            violations.push(format!("{name}: {section} must not have {package}"));
        }
        if name == CORE && default_features && !itself {
            violations.push(format!(
                "{name}: {section}: {package} needs `default-features = false`"
            ));
        }
    }
    let default = manifest.get("features").and_then(|f| f.get("default"));
    let default = default.and_then(Value::as_array);
    if name == CORE && default.is_some_and(|features| !features.is_empty()) {
        violations.push(format!("{name}: core has no default features"));
    }
    violations
}

struct Dependency {
    section: String,
    package: String,
    in_workspace: bool,
    default_features: bool,
}

/// The dependencies of every section, those for some targets only included.
fn dependencies(workspace: &Table, manifest: &Table) -> Vec<Dependency> {
    let mut tables = vec![manifest];
    let targets = manifest.get("target").and_then(Value::as_table);
    tables.extend(
        targets
            .into_iter()
            .flat_map(|t| t.values())
            .filter_map(Value::as_table),
    );
    let mut found = Vec::new();
    for table in tables {
        for section in SECTIONS {
            let entries = table.get(section).and_then(Value::as_table);
            for (key, entry) in entries.into_iter().flatten() {
                found.push(dependency(workspace, section, key, entry));
            }
        }
    }
    found
}

/// One entry, with what it inherits from the workspace filled in.
fn dependency(workspace: &Table, section: &str, key: &str, entry: &Value) -> Dependency {
    let inherits = entry.get("workspace").and_then(Value::as_bool) == Some(true);
    let source = if inherits {
        let shared = workspace
            .get("workspace")
            .and_then(|w| w.get("dependencies"));
        let shared = shared.and_then(|d| d.get(key));
        shared.unwrap_or_else(|| panic!("{key} is not among the workspace's dependencies"))
    } else {
        entry
    };
    let default_features = |entry: &Value| entry.get("default-features").and_then(Value::as_bool);
    let package = source.get("package").and_then(Value::as_str).unwrap_or(key);
    let known = ARROWS.iter().any(|(name, _)| *name == package);
    Dependency {
        section: section.to_owned(),
        package: package.to_owned(),
        in_workspace: known || source.get("path").is_some(),
        // A member can switch on what the workspace left off, but not the reverse.
        default_features: default_features(source) != Some(false)
            || (inherits && default_features(entry) == Some(true)),
    }
}

/// A workspace to try manifests in.
const WORKSPACE: &str = r#"
    [workspace.dependencies]
    tacket = { path = "core", default-features = false }
    tacket-std = { path = "backend-std" }
    tacket-examples = { path = "examples" }
    alias = { package = "tacket-tls", path = "tls" }
    heavy = "1"
    light = { version = "1", default-features = false }
"#;

#[track_caller]
fn assert_refused(name: &str, rest: &str, complaint: &str) {
    let found = violations(WORKSPACE, &format!("package.name = \"{name}\"\n{rest}"));
    assert!(
        found.iter().any(|f| f.contains(complaint)),
        "{name} with {rest:?}: {found:?}"
    );
}

#[track_caller]
fn assert_accepted(name: &str, rest: &str) {
    let found = violations(WORKSPACE, &format!("package.name = \"{name}\"\n{rest}"));
    assert!(found.is_empty(), "{name} with {rest:?}: {found:?}");
}

#[test]
fn an_arrow_out_of_core_is_refused_in_every_section() {
    for section in [
        "dependencies",
        "dev-dependencies",
        "build-dependencies",
        "target.'cfg(unix)'.dependencies",
        "target.'cfg(unix)'.dev-dependencies",
    ] {
        let rest = format!("[{section}]\ntacket-std = {{ workspace = true }}");
        assert_refused("tacket", &rest, "must not have tacket-std");
    }
    assert_accepted(
        "tacket",
        "dev-dependencies.tacket = { path = \".\", features = [\"testing\"] }",
    );
    assert_refused(
        "tacket",
        "dependencies.tacket = { path = \".\" }",
        "must not have tacket",
    );
}

#[test]
fn backends_and_tls_do_not_know_each_other() {
    let packages = ["tacket-std", "tacket-embassy", "tacket-tls"];
    for from in packages {
        assert_accepted(
            from,
            "dependencies.tacket.workspace = true\ndev-dependencies.tacket.workspace = true",
        );
        for to in packages.into_iter().filter(|to| *to != from) {
            let rest = format!("dev-dependencies.{to} = {{ path = \"../{to}\" }}");
            assert_refused(from, &rest, &format!("must not have {to}"));
        }
    }
}

#[test]
fn what_is_published_knows_no_examples_no_tests_and_no_board() {
    for package in [CORE, "tacket-std", "tacket-embassy", "tacket-tls"] {
        for unpublished in [
            "tacket-tests",
            "tacket-examples",
            "tacket-hil",
            "tacket-board",
        ] {
            let rest = format!("dev-dependencies.{unpublished}.path = \"..\"");
            assert_refused(package, &rest, &format!("must not have {unpublished}"));
        }
    }
}

#[test]
fn the_harness_and_the_boards_know_nothing_of_tacket() {
    for package in ["tacket-hil", "tacket-board"] {
        let rest = "dependencies.tacket.path = \"../core\"";
        assert_refused(package, rest, "must not have tacket");
    }
}

#[test]
fn a_renamed_dependency_is_still_seen() {
    assert_refused(
        "tacket-std",
        "dependencies.alias.workspace = true",
        "tacket-tls",
    );
    assert_refused(
        "tacket-tls",
        "dependencies.os = { package = \"tacket-std\", version = \"0.1\" }",
        "must not have tacket-std",
    );
}

#[test]
fn a_package_without_a_row_is_refused_at_both_ends_of_an_arrow() {
    assert_refused("tacket-new", "", "no row");
    assert_refused(
        "tacket-tests",
        "dependencies.tacket-new.path = \"../new\"",
        "must not have tacket-new",
    );
}

#[test]
fn core_stays_free_of_default_features_its_own_and_those_of_others() {
    assert_accepted("tacket", "features.default = []");
    assert_refused(
        "tacket",
        "features.default = [\"std\"]",
        "no default features",
    );
    assert_accepted("tacket", "dependencies.light.workspace = true");
    for heavy in [
        "heavy = \"1\"",
        "heavy.workspace = true",
        "light = { workspace = true, default-features = true }",
    ] {
        let rest = format!("[dependencies]\n{heavy}");
        assert_refused("tacket", &rest, "default-features = false");
        assert_accepted("tacket-std", &rest);
    }
}
