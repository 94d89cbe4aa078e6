//! What the OpenAPI document says of dry runs: every write has one, so it is written once, here.

use utoipa::openapi::path::{Operation, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{AnyOfBuilder, ObjectBuilder, Type};
use utoipa::openapi::{ContentBuilder, OpenApi, Ref, RefOr, Required, ResponseBuilder, Schema};

/// Writes that are none: a login, a question.
const NO_WRITES: [&str; 2] = ["/v3/auth/tokens", "/v1/trace"];

/// Adds the parameter and the answer to all writes.
pub(super) fn describe(document: &mut OpenApi) {
    let writes = document.paths.paths.iter_mut().filter(|(path, _)| !NO_WRITES.contains(&path.as_str()));
    for (_, item) in writes {
        for operation in [&mut item.post, &mut item.put, &mut item.patch, &mut item.delete] {
            operation.iter_mut().for_each(describe_one);
        }
    }
}

fn describe_one(operation: &mut Operation) {
    let text =
        "Nothing is written: the answer says what would be done to objects and to the flows of switches";
    let parameter = ParameterBuilder::new()
        .name("dry_run")
        .parameter_in(ParameterIn::Query)
        .required(Required::False)
        .description(Some(text))
        .schema(Some(ObjectBuilder::new().schema_type(Type::Boolean)));
    operation.parameters.get_or_insert_default().push(RefOr::T(parameter.build()));
    let plan: RefOr<Schema> = Ref::from_schema_name("PlanEnvelope").into();
    if let Some(RefOr::T(response)) = operation.responses.responses.get_mut("200") {
        for content in response.content.values_mut() {
            let RefOr::T(content) = content else { continue };
            let own = content.schema.take().filter(|own| *own != plan);
            content.schema = Some(match own {
                None => plan.clone(),
                Some(own) => AnyOfBuilder::new().item(own).item(plan.clone()).into(),
            });
        }
        return;
    }
    let content = ContentBuilder::new().schema(Some(plan)).build();
    let response = ResponseBuilder::new().description("What would be done, with `dry_run`");
    let response = response.content("application/json", content).build();
    operation.responses.responses.insert("200".into(), RefOr::T(response));
}
