//! Which certificates lead to an authority that is trusted.

use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, ExtendedKeyUsagePurpose, GeneralSubtree,
    IsCa, KeyUsagePurpose, NameConstraints, date_time_ymd,
};
use tacket_tests::NAME;
use tacket_tls::{Validity, VerifyError};

use super::certificates::{Moment, NOW, Owner, authority, server, verify_in};

fn change(
    mut params: CertificateParams,
    change: impl FnOnce(&mut CertificateParams),
) -> CertificateParams {
    change(&mut params);
    params
}

fn server_with(edit: impl FnOnce(&mut CertificateParams)) -> CertificateParams {
    change(server(&[NAME]), edit)
}

fn authority_with(name: &str, edit: impl FnOnce(&mut CertificateParams)) -> CertificateParams {
    change(authority(name), edit)
}

#[test]
fn up_to_three_authorities_in_any_order_lead_to_one_that_is_trusted() {
    let root = Owner::root("root");
    let first = root.issue(authority("first"));
    let second = first.issue(authority("second"));
    let third = second.issue(authority("third"));
    let [a, b, c, d] = [&root, &first, &second, &third].map(|it| it.issue(server(&[NAME])));
    verify_in([&root], NOW, &[&a]).expect("signed by the root");
    verify_in([&root], NOW, &[&a, &root]).expect("the root as well");
    verify_in([&root], NOW, &[&b, &first]).expect("one between");
    verify_in([&root], NOW, &[&c, &first, &second]).expect("two between");
    verify_in([&root], NOW, &[&d, &first, &third, &second]).expect("three between");
    verify_in([&root], NOW, &[&b, &a, &d, &first]).expect("others as well");
    let outcome = verify_in([&root], NOW, &[&c, &second]);
    assert_eq!(outcome, Err(VerifyError::UnknownIssuer));
    let outcome = verify_in([&root], NOW, &[&d, &third, &second, &first, &root]);
    assert_eq!(outcome, Err(VerifyError::ChainTooLong));
}

#[test]
fn each_of_several_authorities_is_trusted_and_no_other() {
    let roots = ["one", "two", "three"].map(Owner::root);
    let [one, two, three] = &roots;
    for root in &roots {
        let owner = root.issue(server(&[NAME]));
        verify_in([one, two, three], NOW, &[&owner]).expect("trusted");
    }
    let owner = three.issue(server(&[NAME]));
    let outcome = verify_in([one, two], NOW, &[&owner]);
    assert_eq!(outcome, Err(VerifyError::UnknownIssuer));
    let outcome = verify_in([one, two], NOW, &[&owner, three]);
    assert_eq!(outcome, Err(VerifyError::UnknownIssuer));
}

#[test]
fn authorities_of_one_name_are_told_apart_by_their_keys() {
    let [one, two, stranger] = ["root"; 3].map(Owner::root);
    for root in [&one, &two] {
        let owner = root.issue(server(&[NAME]));
        verify_in([&one, &two], NOW, &[&owner]).expect("trusted");
        verify_in([&two, &one], NOW, &[&owner]).expect("trusted");
    }
    let owner = stranger.issue(server(&[NAME]));
    let outcome = verify_in([&one, &two], NOW, &[&owner, &stranger]);
    assert_eq!(outcome, Err(VerifyError::BadSignature));
}

#[test]
fn nobody_but_an_authority_issues_certificates() {
    let root = Owner::root("root");
    let stranger = root.issue(server(&["other.example"]));
    let forged = stranger.issue(server(&[NAME]));
    let outcome = verify_in([&root], NOW, &[&forged, &stranger]);
    assert_eq!(outcome, Err(VerifyError::NotACa));
    let explicit = root.issue(change(server(&["other.example"]), |params| {
        params.is_ca = IsCa::ExplicitNoCa;
    }));
    let forged = explicit.issue(server(&[NAME]));
    let outcome = verify_in([&root], NOW, &[&forged, &explicit]);
    assert_eq!(outcome, Err(VerifyError::NotACa));
}

#[test]
fn an_authority_is_no_server() {
    let root = Owner::root("root");
    let both = root.issue(server_with(|params| {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    }));
    let outcome = verify_in([&root], NOW, &[&both]);
    assert_eq!(outcome, Err(VerifyError::CaAsServer));
}

#[test]
fn no_more_authorities_are_below_one_than_it_allows() {
    let root = Owner::root("root");
    let limited = |below| {
        authority_with("limited", |params| {
            params.is_ca = IsCa::Ca(BasicConstraints::Constrained(below));
        })
    };
    for (below, expected) in [(0, Err(VerifyError::PathTooLong)), (1, Ok(()))] {
        let first = root.issue(limited(below));
        let second = first.issue(authority("second"));
        let own = first.issue(server(&[NAME]));
        verify_in([&root], NOW, &[&own, &first]).expect("none is below");
        let owner = second.issue(server(&[NAME]));
        let outcome = verify_in([&root], NOW, &[&owner, &second, &first]);
        assert_eq!(outcome.map(drop), expected);
    }
}

#[test]
fn certificates_are_valid_from_one_moment_to_another() {
    const DAY: u64 = 86_400;
    let root = Owner::root("root");
    let owner = root.issue(server_with(|params| {
        params.not_before = date_time_ymd(2026, 1, 1);
        params.not_after = date_time_ymd(2026, 1, 2);
    }));
    let middle = root.issue(authority_with("middle", |params| {
        params.not_before = date_time_ymd(2026, 1, 1);
        params.not_after = date_time_ymd(2026, 1, 2);
    }));
    let below = middle.issue(server(&[NAME]));
    let start = 1_767_225_600;
    let cases = [
        (start - 1, Err(VerifyError::NotYetValid)),
        (start, Ok(())),
        (start + DAY, Ok(())),
        (start + DAY + 1, Err(VerifyError::Expired)),
    ];
    for (time, expected) in cases {
        let clock = Moment(Some(time));
        let now = Validity::Now(&clock);
        for chain in [&[&owner][..], &[&below, &middle]] {
            let outcome = verify_in([&root], now, chain);
            assert_eq!(outcome.map(drop), expected, "{time}");
        }
    }
}

#[test]
fn with_a_clock_that_does_not_know_the_time_nobody_is_trusted() {
    let root = Owner::root("root");
    let owner = root.issue(server(&[NAME]));
    let outcome = verify_in([&root], Validity::Now(&Moment(None)), &[&owner]);
    assert_eq!(outcome, Err(VerifyError::ClockNotSet));
}

#[test]
fn without_a_clock_certificates_need_only_a_moment_at_which_all_were_valid() {
    let between = |from: i32, to: i32| {
        move |params: &mut CertificateParams| {
            params.not_before = date_time_ymd(from, 1, 1);
            params.not_after = date_time_ymd(to, 1, 1);
        }
    };
    let never = Err(VerifyError::NeverValid);
    let root = Owner::root("root");
    // The years of two authorities and of a server.
    let cases = [
        ([(2001, 2009), (2002, 2008), (2003, 2004)], Ok(())),
        ([(2001, 2009), (2006, 2008), (2003, 2007)], Ok(())),
        ([(2007, 2009), (2006, 2008), (2003, 2007)], Ok(())),
        ([(2090, 2099), (2080, 2090), (2070, 2095)], Ok(())),
        ([(2008, 2009), (2006, 2008), (2003, 2007)], never),
        ([(2001, 2002), (2003, 2008), (2003, 2007)], never),
        ([(2001, 2009), (2006, 2008), (2003, 2005)], never),
    ];
    for (years, expected) in cases {
        let [first, second, last] = years.map(|(from, to)| between(from, to));
        let first = root.issue(authority_with("first", first));
        let second = first.issue(authority_with("second", second));
        let owner = second.issue(server_with(last));
        for chain in [[&owner, &first, &second], [&owner, &second, &first]] {
            let outcome = verify_in([&root], Validity::Unchecked, &chain);
            assert_eq!(outcome.map(drop), expected, "{years:?}");
        }
    }
    // One that ends before it begins.
    let owner = root.issue(server_with(between(2009, 2001)));
    let outcome = verify_in([&root], Validity::Unchecked, &[&owner]);
    assert_eq!(outcome.map(drop), never);
    let outcome = verify_in([&root], NOW, &[&owner]);
    assert_eq!(outcome.map(drop), never);
}

#[test]
fn without_a_clock_a_certificate_that_never_fits_does_not_hide_one_that_does() {
    let years = |from: i32, to: i32| {
        authority_with("middle", |params| {
            params.not_before = date_time_ymd(from, 1, 1);
            params.not_after = date_time_ymd(to, 1, 1);
        })
    };
    let root = Owner::root("root");
    let old = root.issue(years(2001, 2002));
    let renewed = old.certified_by(&root, years(2011, 2019));
    let early = old.certified_by(&root, years(2090, 2099));
    let owner = old.issue(server_with(|params| {
        params.not_before = date_time_ymd(2010, 1, 1);
        params.not_after = date_time_ymd(2013, 1, 1);
    }));
    for chain in [
        [&owner, &old, &early, &renewed],
        [&owner, &early, &renewed, &old],
        [&owner, &renewed, &old, &early],
    ] {
        verify_in([&root], Validity::Unchecked, &chain).expect("valid in 2012");
    }
    let outcome = verify_in([&root], Validity::Unchecked, &[&owner, &old, &early]);
    assert_eq!(outcome, Err(VerifyError::NeverValid));
}

#[test]
fn without_a_clock_everything_else_is_checked_all_the_same() {
    let (root, other) = (Owner::root("root"), Owner::root("root"));
    let stranger = root.issue(server(&["other.example"]));
    let outcome = verify_in([&root], Validity::Unchecked, &[&stranger]);
    assert_eq!(outcome, Err(VerifyError::NameMismatch));
    let forged = stranger.issue(server(&[NAME]));
    let outcome = verify_in([&root], Validity::Unchecked, &[&forged, &stranger]);
    assert_eq!(outcome, Err(VerifyError::NotACa));
    let unknown = other.issue(server(&[NAME]));
    let outcome = verify_in([&root], Validity::Unchecked, &[&unknown]);
    assert_eq!(outcome, Err(VerifyError::BadSignature));
}

#[test]
fn a_certificate_that_is_for_something_else_proves_no_server() {
    use ExtendedKeyUsagePurpose::{Any, ClientAuth, ServerAuth};
    use KeyUsagePurpose::{CrlSign, DigitalSignature, KeyCertSign, KeyEncipherment};
    type Edit = fn(&mut CertificateParams);
    let wrong = Err(VerifyError::WrongUsage);
    let root = Owner::root("root");
    let servers: [(Edit, _); 6] = [
        (|it| it.extended_key_usages = vec![ClientAuth], wrong),
        (|it| it.extended_key_usages = vec![Any], wrong),
        (
            |it| it.extended_key_usages = vec![ClientAuth, ServerAuth],
            Ok(()),
        ),
        (|it| it.key_usages = vec![KeyEncipherment], wrong),
        (|it| it.key_usages = vec![KeyCertSign], wrong),
        (
            |it| it.key_usages = vec![DigitalSignature, KeyEncipherment],
            Ok(()),
        ),
    ];
    for (number, (edit, expected)) in servers.into_iter().enumerate() {
        let owner = root.issue(server_with(edit));
        let outcome = verify_in([&root], NOW, &[&owner]);
        assert_eq!(outcome.map(drop), expected, "server {number}");
    }
    let authorities: [(Edit, _); 5] = [
        (|it| it.extended_key_usages = vec![ClientAuth], wrong),
        (|it| it.key_usages = vec![CrlSign], wrong),
        (|it| it.key_usages = vec![DigitalSignature], wrong),
        (|it| it.key_usages = vec![], Ok(())),
        (|it| it.key_usages = vec![CrlSign, KeyCertSign], Ok(())),
    ];
    for (number, (edit, expected)) in authorities.into_iter().enumerate() {
        let middle = root.issue(authority_with("middle", edit));
        let owner = middle.issue(server(&[NAME]));
        let outcome = verify_in([&root], NOW, &[&owner, &middle]);
        assert_eq!(outcome.map(drop), expected, "authority {number}");
    }
}

#[test]
fn key_usages_that_are_none_allow_nothing() {
    let root = Owner::root("root");
    let cases = [
        (&[3, 2, 7, 0x80][..], Ok(())),
        (&[3, 1, 0], Err(VerifyError::WrongUsage)),
        (&[3, 0], Err(VerifyError::Malformed)),
        (&[4, 2, 7, 0x80], Err(VerifyError::Malformed)),
        (&[3, 3, 7, 0x80], Err(VerifyError::Malformed)),
        (&[3], Err(VerifyError::Malformed)),
        (&[], Err(VerifyError::Malformed)),
    ];
    for (value, expected) in cases {
        let usage = CustomExtension::from_oid_content(&[2, 5, 29, 15], value.to_vec());
        let owner = root.issue(server_with(|params| params.custom_extensions = vec![usage]));
        let outcome = verify_in([&root], NOW, &[&owner]);
        assert_eq!(outcome.map(drop), expected, "{value:02x?}");
    }
}

#[test]
fn an_authority_issues_for_the_names_that_it_may_issue_for() {
    let within = |permitted: &[&str], excluded: &[&str]| {
        let names = |names: &[&str]| {
            let names = names.iter().map(|&name| name.to_owned());
            names.map(GeneralSubtree::DnsName).collect()
        };
        let constraints = NameConstraints {
            permitted_subtrees: names(permitted),
            excluded_subtrees: names(excluded),
        };
        move |params: &mut CertificateParams| params.name_constraints = Some(constraints)
    };
    type Names<'a> = &'a [&'a str];
    let forbidden = Err(VerifyError::NameConstraint);
    let cases: [(Names<'_>, Names<'_>, _); 5] = [
        (&["example"], &[], Ok(())),
        (&["other.example", NAME], &[], Ok(())),
        (&["other.example"], &[], forbidden),
        (&[], &["example"], forbidden),
        (&["example"], &["server.example"], forbidden),
    ];
    for (permitted, excluded, expected) in cases {
        let root = Owner::root("root");
        let middle = root.issue(authority_with("middle", within(permitted, excluded)));
        let owner = middle.issue(server(&[NAME]));
        let outcome = verify_in([&root], NOW, &[&owner, &middle]);
        assert_eq!(outcome.map(drop), expected, "{permitted:?} {excluded:?}");
        // The same of an authority that is trusted itself.
        let root = Owner::self_signed(authority_with("root", within(permitted, excluded)));
        let owner = root.issue(server(&[NAME]));
        let outcome = verify_in([&root], NOW, &[&owner]);
        assert_eq!(outcome.map(drop), expected, "{permitted:?} {excluded:?}");
    }
}

#[test]
fn what_is_critical_and_unknown_is_refused() {
    let root = Owner::root("root");
    for (is_critical, expected) in [
        (true, Err(VerifyError::UnsupportedExtension)),
        (false, Ok(())),
    ] {
        let mut unknown = CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1], vec![5, 0]);
        unknown.set_criticality(is_critical);
        let owner = root.issue(server_with(|params| {
            params.custom_extensions = vec![unknown]
        }));
        let outcome = verify_in([&root], NOW, &[&owner]);
        assert_eq!(outcome.map(drop), expected);
    }
}
