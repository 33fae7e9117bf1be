// Topic: the template of a topic's name, and the names made from it.
//
// Placeholders are {stream}, {database}, {schema} and {table}. A character that Kafka does not
// allow in a topic (letters, digits, ".", "_" and "-") becomes "_" where it comes from a
// placeholder; in the template itself it is an error. Pure; any thread.
#pragma once

#include <string>
#include <string_view>

#include "core/change.hpp"
#include "core/status.hpp"

namespace bitvelocity::pipeline {

// 22023: an unknown placeholder or a character that cannot be in a topic.
[[nodiscard]] core::Status CheckTopicTemplate(std::string_view text);

// The same with the further placeholder {route}, without {schema} and {table}: of an outbox.
[[nodiscard]] core::Status CheckOutboxTopic(std::string_view text);
[[nodiscard]] core::Result<std::string> MakeOutboxTopic(std::string_view text,
                                                        const core::Source& source,
                                                        std::string_view route);

// Of dead letters: {stream} and {database} only. The name of a checked one.
[[nodiscard]] core::Status CheckLetterTopic(std::string_view text);
[[nodiscard]] core::Result<std::string> MakeLetterTopic(std::string_view text,
                                                        const core::Source& source);

// "<stream>.transaction" and the like: what is about the stream rather than about a table.
[[nodiscard]] std::string MakeStreamTopic(const core::Source& source, std::string_view kind);

// For a checked template. Logical messages (no relation) go to "<stream>.message". 22023 when the
// name is longer than Kafka's 249 bytes.
[[nodiscard]] core::Result<std::string> MakeTopic(std::string_view text, const core::Source& source,
                                                  const core::RelationSchema* relation);

}  // namespace bitvelocity::pipeline
