// Confluent: the requests of the schema registry's HTTP API, and what its answers mean.
//
// As Confluent's registry has it (docs.confluent.io, Schema Registry API) and compatible ones
// (Apicurio, Karapace, Redpanda) answer it. Any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/status.hpp"
#include "sink/registry/http.hpp"

namespace bitvelocity::sink::registry {

// Registers the schema under the subject, or finds that it already is.
[[nodiscard]] Request RegisterSchema(std::string_view subject, std::string_view schema);
// Only finds it.
[[nodiscard]] Request LookUpSchema(std::string_view subject, std::string_view schema);

enum class Verdict : std::uint8_t {
    kFound,
    kAway,     // a server's own trouble: the same request may succeed later
    kRefused,  // it will be answered like this until somebody changes something
};

struct Answer {
    Verdict verdict = Verdict::kAway;
    std::uint32_t id = 0;
    core::Error error;  // kAway, kRefused; names the subject and the registry's reason
};
[[nodiscard]] Answer ReadAnswer(const Response& response, std::string_view subject);

}  // namespace bitvelocity::sink::registry
