//! `/docs`: the OpenAPI document as pages to browse and try, all of it out of this program: no other server is asked.

use std::borrow::Cow;
use std::sync::{Arc, LazyLock};

use axum::extract::Path;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::response::{IntoResponse, Response};
use utoipa_swagger_ui::{Config, serve};

use super::failure::Failure;

/// Where the pages find the document.
static CONFIG: LazyLock<Arc<Config<'static>>> = LazyLock::new(|| {
    let config = Config::from("/openapi.json").try_it_out_enabled(true).display_request_duration(true);
    Arc::new(config.persist_authorization(false).filter(true))
});

/// Scripts and pictures from here only.
const POLICY: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:";

/// The page. No token needed; what it tries needs one.
pub(super) async fn index() -> Response {
    page("index.html")
}

/// What the page is made of.
pub(super) async fn part(Path(name): Path<String>) -> Response {
    page(&name)
}

fn page(name: &str) -> Response {
    let Ok(Some(file)) = serve(name, CONFIG.clone()) else {
        return Failure::of_status(StatusCode::NOT_FOUND).into_response();
    };
    let bytes = match name {
        // The page is asked for with and without a slash at the end, and its parts stand behind the slash.
        "index.html" => {
            let html = String::from_utf8_lossy(&file.bytes);
            Cow::Owned(html.replacen("<head>", "<head><base href=\"/docs/\">", 1).into_bytes())
        }
        _ => file.bytes,
    };
    let headers = [
        (CONTENT_TYPE, file.content_type.as_str()),
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, bytes.into_owned()).into_response()
}
