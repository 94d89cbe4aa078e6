//! Users, their roles, credentials and sessions: rule by rule, and as random histories.

use proptest::prelude::*;

use super::*;
use crate::{
    AppCredentialId, CredentialReach, CredentialSecret, PasswordHash, Role, Session, Stamp, TokenRole, UserId,
};

fn user(name: &str) -> UserId {
    name.parse().expect("a user id")
}

fn hash(n: u8) -> PasswordHash {
    PasswordHash::new(format!("$argon2id$v=19${n}"))
}

fn new_user(name: &str) -> NewUser {
    NewUser {
        id: user(name),
        name: name.to_owned(),
        description: String::new(),
        email: String::new(),
        enabled: true,
        password: Some(hash(0)),
        default_tenant: None,
    }
}

fn session(n: u128, who: &str, project: Option<&str>, expires: u64) -> Intent {
    Intent::CreateToken(NewToken {
        id: TokenId(Uuid::from_u128(n)),
        role: project.map_or(TokenRole::Unscoped, |tenant_id| TokenRole::Member(tenant(tenant_id))),
        digest: [n.to_le_bytes(), [1; 16]].concat().try_into().expect("32 bytes"),
        description: String::new(),
        expires: Some(Timestamp(expires)),
        session: Some(Session { user: user(who), project: project.map(tenant), credential: None }),
    })
}

fn credential(n: u128, who: &str, on: &str, role: Role) -> NewAppCredential {
    NewAppCredential {
        id: AppCredentialId(Uuid::from_u128(n)),
        user: user(who),
        tenant: tenant(on),
        role,
        name: format!("c{n}"),
        description: String::new(),
        secret: CredentialSecret::Drawn([7; 32]),
        reach: CredentialReach::Restricted,
        expires: None,
    }
}

/// The world with ann, administrator by tenant a, and bob, member of b.
fn people() -> Snapshot {
    let intents = [
        Intent::CreateUser(new_user("ann")),
        Intent::CreateUser(NewUser { default_tenant: Some(tenant("b")), ..new_user("bob") }),
        Intent::Assign(user("ann"), tenant("a"), Role::Admin),
        Intent::Assign(user("bob"), tenant("b"), Role::Member),
    ];
    plan(&world(), &Actor::Admin, &intents, &at(150)).expect("planned").snapshot
}

#[track_caller]
fn planned(base: &Snapshot, intents: &[Intent]) -> Snapshot {
    plan(base, &Actor::Admin, intents, &at(160)).expect("planned").snapshot
}

#[track_caller]
fn check_people(intents: &[Intent], expected: &str) {
    check_on(&people(), &Actor::Admin, intents, expected);
}

#[test]
fn names_of_users_are_theirs_alone() {
    check_people(&[Intent::CreateUser(new_user("cat"))], r#"user cat v1 "cat" enabled for nothing"#);
    check_people(&[Intent::CreateUser(new_user("ann"))], "refused: user ann already exists");
    let taken = NewUser { name: "ann".into(), ..new_user("cat") };
    check_people(&[Intent::CreateUser(taken)], r#"refused: there is user "ann" already"#);
    let named = |name: &str| UserPatch { labels: named(name), ..UserPatch::default() };
    check_people(&[Intent::UpdateUser(user("bob"), named("ann"))], r#"refused: there is user "ann" already"#);
    check_people(
        &[Intent::UpdateUser(user("ann"), named("eve")), Intent::UpdateUser(user("bob"), named("ann"))],
        r#"user ann v2 "eve" enabled for nothing
           user bob v2 "ann" enabled for b"#,
    );
    check_people(
        &[Intent::UpdateUser(user("bob"), named(" "))],
        "refused: name must have at least one character",
    );
    let plain = NewUser { password: Some(PasswordHash::new("secret")), ..new_user("cat") };
    check_people(&[Intent::CreateUser(plain)], "refused: password must have been hashed");
    let elsewhere = NewUser { default_tenant: Some(tenant("z")), ..new_user("cat") };
    check_people(&[Intent::CreateUser(elsewhere)], "refused: there is no tenant z");
}

#[test]
fn there_is_always_an_administrator() {
    let nobody = "refused: nobody could be administrator then";
    let off = UserPatch { enabled: Some(false), ..UserPatch::default() };
    let tenant_off = TenantPatch { enabled: Some(false), ..TenantPatch::default() };
    let last = [
        Intent::DeleteUser(user("ann")),
        Intent::UpdateUser(user("ann"), off.clone()),
        Intent::Unassign(user("ann"), tenant("a"), Role::Admin),
        Intent::UpdateTenant(tenant("a"), tenant_off),
    ];
    for intent in last {
        check_people(std::slice::from_ref(&intent), nobody);
        let other = planned(&people(), &[Intent::Assign(user("bob"), tenant("b"), Role::Admin)]);
        plan(&other, &Actor::Admin, &[intent], &at(200)).expect("somebody else is");
    }
    check_people(&[Intent::UpdateUser(user("bob"), off)], r#"user bob v2 "bob" disabled for b"#);
}

#[test]
fn a_user_takes_everything_along_and_so_does_a_tenant() {
    let more = [
        Intent::CreateTenant(new_tenant("c")),
        Intent::Assign(user("bob"), tenant("c"), Role::Reader),
        Intent::UpdateUser(
            user("bob"),
            UserPatch { default_tenant: Some(Some(tenant("c"))), ..UserPatch::default() },
        ),
        Intent::CreateAppCredential(credential(1, "bob", "c", Role::Reader)),
        session(2, "bob", Some("c"), 900),
        session(3, "bob", Some("b"), 900),
    ];
    let base = planned(&people(), &more);
    check_on(
        &base,
        &Actor::Admin,
        &[Intent::DeleteUser(user("bob"))],
        r#"delete token(tokenid(#02))
           delete token(tokenid(#03))
           delete user(userid("bob"))
           delete assignment(userid("bob"), tenantid("b"))
           delete assignment(userid("bob"), tenantid("c"))
           delete appcredential(appcredentialid(#01))"#,
    );
    check_on(
        &base,
        &Actor::Admin,
        &[Intent::DeleteTenant(tenant("c"), None)],
        r#"delete tenant(tenantid("c"))
           delete token(tokenid(#02))
           user bob v2 "bob" enabled for nothing
           delete assignment(userid("bob"), tenantid("c"))
           delete appcredential(appcredentialid(#01))"#,
    );
}

#[test]
fn users_write_in_matters_of_their_own_only() {
    let bob = Actor::User(user("bob"));
    let refused = |what: &str| format!("refused: {what} is not allowed for this token");
    let base = planned(&people(), &[session(2, "bob", None, 900), session(3, "ann", None, 900)]);
    let as_bob = |intent: Intent, expected: &str| check_on(&base, &bob, &[intent], expected);
    let change = |was| PasswordChange { was: hash(was), becomes: hash(9) };
    as_bob(
        Intent::ChangePassword(user("bob"), change(0)),
        r#"delete token(tokenid(#02))
           user bob v2 "bob" enabled for b"#,
    );
    as_bob(
        Intent::ChangePassword(user("bob"), change(1)),
        "refused: the password of user bob has just been changed",
    );
    as_bob(Intent::ChangePassword(user("ann"), change(0)), &refused("changing another user's password"));
    as_bob(Intent::DeleteToken(TokenId(Uuid::from_u128(2))), "delete token(tokenid(#02))");
    as_bob(Intent::DeleteToken(TokenId(Uuid::from_u128(3))), &refused("revoking another user's token"));
    as_bob(
        Intent::CreateAppCredential(credential(1, "bob", "b", Role::Member)),
        "credential #01 c1 of bob for b Member",
    );
    let more = Intent::CreateAppCredential(credential(1, "bob", "b", Role::Admin));
    as_bob(more, &refused("giving away a role that one does not have"));
    let others = Intent::CreateAppCredential(credential(1, "ann", "a", Role::Reader));
    as_bob(others, &refused("making another user's application credential"));
    as_bob(Intent::CreateUser(new_user("cat")), &refused("creating a user"));
    as_bob(Intent::UpdateUser(user("bob"), UserPatch::default()), &refused("changing a user"));
    as_bob(Intent::DeleteUser(user("bob")), &refused("deleting a user"));
    as_bob(Intent::Assign(user("bob"), tenant("b"), Role::Admin), &refused("giving a role"));
    as_bob(Intent::Unassign(user("bob"), tenant("b"), Role::Member), &refused("taking a role"));
    as_bob(Intent::CreateNetwork(NewNetwork::new(network(9))), &refused("owning what belongs to tenants"));
    as_bob(Intent::DeleteNetwork(network(2), None), "refused: there is no network #02");
    as_bob(session(4, "bob", None, 900), &refused("creating a token"));
    check_on(
        &base,
        &Actor::Tenant(tenant("b")),
        &[Intent::DeleteUser(user("bob"))],
        &refused("deleting a user"),
    );
    let off = UserPatch { enabled: Some(false), ..UserPatch::default() };
    let off = planned(&base, &[Intent::UpdateUser(user("bob"), off)]);
    let expected = refused("writing as a disabled user");
    check_on(&off, &bob, &[Intent::ChangePassword(user("bob"), change(0))], &expected);
    assert_eq!(off.sessions_of(&user("bob")).count(), 0, "disabling ends sessions");
}

#[test]
fn whoever_logs_in_must_be_there_and_old_sessions_go() {
    let refused = "refused: logging in so is not allowed for this token";
    check_people(&[session(1, "bob", Some("a"), 900)], refused);
    check_people(&[session(1, "eve", None, 900)], "refused: there is no user eve");
    check_people(&[session(1, "bob", Some("b"), 900)], "token #01 Member(TenantId(\"b\"))");
    let over: Vec<Intent> = (1..=20).map(|n| session(n, "bob", None, 150 + n as u64)).collect();
    let base = plan(&people(), &Actor::Admin, &over, &at(100)).expect("planned").snapshot;
    let one_more = plan(&base, &Actor::Admin, &[session(99, "ann", None, 900)], &at(200)).expect("planned");
    let left: Vec<u64> = one_more
        .snapshot
        .sessions_of(&user("bob"))
        .filter_map(|token| token.expires)
        .map(|at| at.0)
        .collect();
    assert_eq!(left, [167, 168, 169, 170], "the 16 that ended first are cleared away");
    let most = super::super::sessions::SESSIONS as u128;
    let mut base = people();
    for n in 0..most + 3 {
        base = plan(&base, &Actor::Admin, &[session(n, "bob", None, 90_000)], &at(200 + n as u64))
            .expect("in")
            .snapshot;
    }
    assert_eq!(base.sessions_of(&user("bob")).count() as u128, most);
    assert_eq!(base.sessions_of(&user("bob")).next().map(|token| token.created), Some(Timestamp(203)));
}

#[test]
fn roles_add_up_and_the_strongest_counts() {
    let give = |role| Intent::Assign(user("bob"), tenant("b"), role);
    check_people(&[give(Role::Reader)], "roles of bob for b {Reader, Member}");
    check_people(&[give(Role::Member)], "");
    let take = |role| Intent::Unassign(user("bob"), tenant("b"), role);
    check_people(&[take(Role::Member)], r#"delete assignment(userid("bob"), tenantid("b"))"#);
    check_people(&[take(Role::Reader)], "refused: user bob was not given role reader for tenant b");
    check_people(&[Intent::Assign(user("bob"), tenant("z"), Role::Reader)], "refused: there is no tenant z");
    let both = planned(&people(), &[give(Role::Reader)]);
    assert_eq!(both.role_of(&user("bob"), &tenant("b")), Some(Role::Member));
    assert_eq!(planned(&both, &[take(Role::Member)]).role_of(&user("bob"), &tenant("b")), Some(Role::Reader));
    let off = TenantPatch { enabled: Some(false), ..TenantPatch::default() };
    assert_eq!(
        planned(&both, &[Intent::UpdateTenant(tenant("b"), off)]).role_of(&user("bob"), &tenant("b")),
        None
    );
}

/// One of few of everything, so that they meet.
fn intent() -> impl Strategy<Value = Intent> {
    let who = || prop::sample::select(vec!["ann", "bob", "cat"]);
    let place = || prop::sample::select(vec!["a", "b", "c"]);
    let role = || prop::sample::select(Role::ALL.to_vec());
    let project = || prop::option::of(place());
    prop_oneof![
        (who(), who())
            .prop_map(|(id, name)| Intent::CreateUser(NewUser { name: name.into(), ..new_user(id) })),
        (who(), prop::option::of(any::<bool>()), prop::option::of(who()), prop::option::of(project()))
            .prop_map(|(id, enabled, name, home)| {
                let labels = LabelsPatch { name: name.map(Into::into), ..LabelsPatch::default() };
                let default_tenant = home.map(|home| home.map(tenant));
                Intent::UpdateUser(
                    user(id),
                    UserPatch { labels, enabled, default_tenant, ..UserPatch::default() },
                )
            }),
        who().prop_map(|id| Intent::DeleteUser(user(id))),
        (who(), place(), role()).prop_map(|(id, on, role)| Intent::Assign(user(id), tenant(on), role)),
        (who(), place(), role()).prop_map(|(id, on, role)| Intent::Unassign(user(id), tenant(on), role)),
        (0..5_u128, who(), place(), role())
            .prop_map(|(n, id, on, role)| Intent::CreateAppCredential(credential(n, id, on, role))),
        (0..5_u128).prop_map(|n| Intent::DeleteAppCredential(AppCredentialId(Uuid::from_u128(n)))),
        (0..9_u128, who(), project(), 0..40_u64).prop_map(|(n, id, on, end)| session(n, id, on, end)),
        (0..9_u128).prop_map(|n| Intent::DeleteToken(TokenId(Uuid::from_u128(n)))),
        (0..3_u8, who()).prop_map(|(n, id)| {
            Intent::ChangePassword(user(id), PasswordChange { was: hash(0), becomes: hash(n) })
        }),
        Just(Intent::CreateTenant(new_tenant("c"))),
        Just(Intent::DeleteTenant(tenant("c"), None)),
        (place(), any::<bool>()).prop_map(|(id, enabled)| {
            Intent::UpdateTenant(tenant(id), TenantPatch { enabled: Some(enabled), ..TenantPatch::default() })
        }),
    ]
}

/// Nothing refers to what is not there, and every index says what the records say.
fn check_sound(state: &Snapshot) {
    let has_user = |id: &UserId| state.user(id).is_some();
    for assignment in state.assignments() {
        assert!(has_user(&assignment.user) && state.tenant(&assignment.tenant).is_some(), "{assignment:?}");
        assert!(!assignment.roles.is_empty(), "{assignment:?}");
    }
    let mut names = std::collections::BTreeSet::new();
    for one in state.users() {
        assert!(names.insert(&one.stamp.name), "two users called {}", one.stamp.name);
        assert_eq!(state.user_by_name(&one.stamp.name), Some(one));
        assert!(one.default_tenant.as_ref().is_none_or(|tenant| state.tenant(tenant).is_some()), "{one:?}");
        for credential in state.app_credentials_of(&one.id) {
            assert_eq!(credential.user, one.id);
            assert!(state.tenant(&credential.tenant).is_some(), "{credential:?}");
        }
    }
    for token in state.tokens() {
        let Some(session) = &token.session else { continue };
        assert!(has_user(&session.user), "{token:?}");
        assert!(session.project.as_ref().is_none_or(|tenant| state.tenant(tenant).is_some()), "{token:?}");
    }
    assert_eq!(
        &Snapshot::from_records(state.revision(), state.records()),
        state,
        "indexes follow from records"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn random_histories_stay_sound(intents in prop::collection::vec(intent(), 1..60)) {
        let mut state = people();
        for (step, intent) in intents.iter().enumerate() {
            let now = at(step as u64);
            let Ok(plan) = plan(&state, &Actor::Admin, std::slice::from_ref(intent), &now) else { continue };
            let mut again = state.clone();
            if !plan.changes.is_empty() {
                again.apply(Revision(state.revision().0 + 1), &plan.changes);
            }
            prop_assert_eq!(&again, &plan.snapshot, "the changes lead to the snapshot");
            state = plan.snapshot;
            check_sound(&state);
            prop_assert!(state.administrators().next().is_some(), "nobody is administrator after {:?}", intent);
        }
    }
}

#[test]
fn hashes_never_show() {
    let stamp = Stamp { name: "ann".into(), ..Stamp::default() };
    let one = crate::User {
        id: user("ann"),
        stamp,
        email: String::new(),
        enabled: true,
        password: Some(hash(1)),
        default_tenant: None,
    };
    assert!(!format!("{one:?}").contains("argon2"), "{one:?}");
}
