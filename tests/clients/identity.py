"""Steps: users, projects, roles and application credentials, by the clouds.yaml that a controller leaves."""

from harness import Cli, check, clouds_of, same


def identity(endpoint, clouds, run):
    """Projects, users, roles and application credentials, with nothing but the clouds.yaml that the controller left."""
    identity_of(endpoint, Cli(clouds, cloud="weft"), run)
    with clouds_of(clouds):
        identity_sdk(run)


def identity_of(endpoint, admin, run):
    project, user = f"project-{run}", f"user-{run}"
    issued = admin.json("token issue")
    check(issued["id"].startswith("weft_"), f"token issue: {issued}")
    made = admin.json(f"project create {project} --description first --domain default")
    same((made["name"], made["description"], made["enabled"]), (project, "first", True), "project create")
    admin.refused("409", f"project create {project}")
    made_user = admin.json(f"user create {user} --project {project} --password old-{run} --email u@example.org")
    same((made_user["name"], made_user["default_project_id"]), (user, made["id"]), "user create")
    admin.done(f"role add --user {user} --project {project} member")
    listed = admin.json(f"role assignment list --user {user} --names")
    same([(row["Role"], row["User"], row["Project"]) for row in listed],
         [("member", f"{user}@Default", f"{project}@Default")], "role assignment list")
    account = {"auth_url": endpoint + "/v3", "username": user, "project_name": project, "user_domain_name": "Default",
               "project_domain_name": "Default"}
    cli = Cli(**account, password=f"old-{run}")
    same(cli.json("network create inet")["project_id"], made["id"], "network create by the user")
    cli.refused("403", "user list")
    credential = cli.json("application credential create ci --role reader")
    program = Cli(auth_type="v3applicationcredential", auth_url=endpoint + "/v3",
                  application_credential_id=credential["ID"], application_credential_secret=credential["Secret"])
    same([row["Name"] for row in program.json("network list")], ["inet"], "network list by the credential")
    program.refused("disallowed by policy", "network create other")
    cli.done("application credential delete ci")
    program.refused("401", "network list")
    cli.done("network delete inet")
    cli.done(f"user password set --original-password old-{run} --password new-{run}")
    cli.refused("401", "token issue")
    Cli(**account, password=f"new-{run}").done("token issue")
    admin.done(f"role remove --user {user} --project {project} member")
    Cli(**account, password=f"new-{run}").refused("401", "token issue")
    admin.done(f"user delete {user}")
    admin.done(f"project delete {project}")


def identity_sdk(run):
    import openstack

    cloud = openstack.connect(cloud="weft")
    identity, admin = cloud.identity, cloud.identity.find_user("admin")
    same(cloud.current_project.name, "admin", "the project of clouds.yaml")
    user = identity.create_user(name=f"sdk-{run}", password="secret", is_enabled=True)
    project = identity.create_project(name=f"sdk-{run}", description="first")
    role = identity.find_role("reader")
    same(identity.validate_user_has_project_role(project, user, role), False, "before the role is given")
    identity.assign_project_role_to_user(project, user, role)
    same(identity.validate_user_has_project_role(project, user, role), True, "after the role is given")
    same([row.name for row in identity.user_projects(user)], [project.name], "user_projects")
    check(admin.id in [row.id for row in identity.users()], "users")
    same(identity.update_user(user, description="second").description, "second", "update_user")
    same(identity.update_project(project, is_enabled=False).is_enabled, False, "update_project")
    same(sorted(row.name for row in identity.roles()), ["admin", "member", "reader"], "roles")
    same([row.id for row in identity.domains()], ["default"], "domains")
    check(len(list(identity.role_assignments())) >= 2, "role_assignments")
    network = cloud.network.create_network(name=f"sdk-{run}")
    same(network.project_id, cloud.current_project.id, "what an administrator makes is its project's")
    cloud.network.delete_network(network)
    identity.delete_user(user)
    identity.delete_project(project)
    same(identity.find_project(project.name, ignore_missing=True), None, "a project that is gone")
