#include "sink/registry/confluent.hpp"

#include <nlohmann/json.hpp>

#include "core/percent.hpp"

namespace bitvelocity::sink::registry {

namespace {

using nlohmann::json;

constexpr std::size_t kReasonLimit = 2000;  // bytes; an answer may quote whole schemas

// AVRO is what a registry takes where no type is named; older ones know no other member.
std::string Body(std::string_view schema) {
    return json{{"schema", schema}}.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string Reason(const json& body, const Response& response) {
    std::string reason = body.is_object() && body.contains("message") && body["message"].is_string()
                             ? body["message"].get<std::string>()
                             : response.body;
    if (body.is_object() && body.contains("causes") && !body["causes"].empty()) {
        reason += " " + body["causes"].dump(-1, ' ', false, json::error_handler_t::replace);
    }
    if (reason.size() > kReasonLimit) {
        reason.resize(kReasonLimit);
        reason += "...";
    }
    return reason.empty() ? "HTTP status " + std::to_string(response.status) : reason;
}

std::string Hint(int status) {
    switch (status) {
        case 401:
        case 403:
            return "Check schema.registry.basic.auth.user.info in the connection file and what the "
                   "user may do.";
        case 404:
            return "Register the schema under that subject, or set the option "
                   "\"avro.auto_register\" to true.";
        case 409:
            return "Undo the change of the table, or set the subject's compatibility in the "
                   "registry; then the stream goes on by itself.";
        default:
            return {};
    }
}

}  // namespace

Request RegisterSchema(std::string_view subject, std::string_view schema) {
    return {"POST", "/subjects/" + core::PercentEncoded(subject) + "/versions", Body(schema)};
}

Request LookUpSchema(std::string_view subject, std::string_view schema) {
    return {"POST", "/subjects/" + core::PercentEncoded(subject), Body(schema)};
}

Answer ReadAnswer(const Response& response, std::string_view subject) {
    const json body = json::parse(response.body, nullptr, false);
    Answer answer;
    if (response.status / 100 == 2 && body.is_object() && body.contains("id") &&
        body["id"].is_number_unsigned()) {
        const auto id = body["id"].get<std::uint64_t>();
        if (id <= 0xffff'ffff) {
            answer.verdict = Verdict::kFound;
            answer.id = static_cast<std::uint32_t>(id);
            return answer;
        }
    }
    const std::string quoted = "\"" + std::string(subject) + "\"";
    const int status = response.status;
    if (status == 408 || status == 429 || status / 100 == 5 || status / 100 == 2) {
        answer.error.sqlstate = core::kConnectionFailure;
        answer.error.message = "the schema registry could not serve subject " + quoted +
                               " (HTTP status " + std::to_string(status) + ")";
        answer.error.detail = Reason(body, response);
        return answer;
    }
    answer.verdict = Verdict::kRefused;
    answer.error.sqlstate =
        status == 401 || status == 403 ? core::kInsufficientPrivilege : core::kFeatureNotSupported;
    answer.error.message = status == 409   ? "schema is not compatible with subject " + quoted
                           : status == 404 ? "schema is not registered under subject " + quoted
                           : status == 401 || status == 403
                               ? "the schema registry denies access to subject " + quoted
                               : "the schema registry refuses the schema of subject " + quoted;
    answer.error.detail = Reason(body, response);
    answer.error.hint = Hint(status);
    // Not what somebody may still register or allow without a change of the schema.
    answer.error.poison = status == 409 || status == 422;
    return answer;
}

}  // namespace bitvelocity::sink::registry
