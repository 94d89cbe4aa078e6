//! Ranges of VNIs over the API: the default ones, and those that operators make.

use serde_json::{Value, json};

use super::{Lab, ids};

const RANGES: &str = "/v2.0/network_segment_ranges";

#[tokio::test]
async fn operators_say_which_vnis_networks_get() {
    let lab = Lab::new().await;
    let defaults = lab.get("admin", RANGES).await;
    let default = ids(&defaults.body["network_segment_ranges"]);
    assert_eq!(default.len(), 3, "{}", defaults.text);
    let first = &defaults.body["network_segment_ranges"][0];
    assert_eq!((&first["minimum"], &first["maximum"]), (&json!(1), &json!(16_777_215)));
    let gone = lab.call("admin", &format!("DELETE {RANGES}/{}", default[0]), Value::Null).await;
    assert_eq!((gone.status.as_u16(), gone.kind()), (409, "NetworkSegmentRangeDefaultReadOnly"));
    let body = json!({"network_segment_range": {"name": "red's", "network_type": "vxlan", "minimum": 5000,
        "maximum": "5009", "project_id": "red", "shared": false}});
    assert_eq!(lab.call("red", &format!("POST {RANGES}"), body.clone()).await.status, 403);
    let range =
        lab.call("admin", &format!("POST {RANGES}"), body.clone()).await.created("network_segment_range");
    let again = lab.call("admin", &format!("POST {RANGES}"), body).await;
    assert_eq!((again.status.as_u16(), again.kind()), (409, "NetworkSegmentRangeOverlaps"));
    let network = lab.network("red").await;
    let shown = lab.get("admin", &format!("/v2.0/networks/{network}")).await;
    assert_eq!(shown.body["network"]["provider:segmentation_id"], 5000);
    let shown = lab.get("admin", &format!("{RANGES}/{range}")).await;
    let row = &shown.body["network_segment_range"];
    assert_eq!(row["used"], json!({"5000": "red"}));
    assert_eq!(row["available"], json!([5001, 5002, 5003, 5004, 5005, 5006, 5007, 5008, 5009]));
    let narrow = json!({"network_segment_range": {"minimum": 5001}});
    let used = lab.call("admin", &format!("PUT {RANGES}/{range}"), narrow).await;
    assert_eq!((used.status.as_u16(), used.kind()), (409, "NetworkSegmentRangeReferencedByProject"));
    let wide = json!({"network_segment_range": {"maximum": 5019, "name": "wide"}});
    let wide = lab.call("admin", &format!("PUT {RANGES}/{range}"), wide).await;
    assert_eq!(wide.body["network_segment_range"]["maximum"], 5019, "{}", wide.text);
    assert_eq!(
        ids(&lab.get("admin", &format!("{RANGES}?name=wide")).await.body["network_segment_ranges"]),
        [range]
    );
    assert_eq!(lab.get("red", RANGES).await.status, 403);
}
