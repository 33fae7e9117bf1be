// JsonMembers: the members of one JSON object as the text they were written in.
//
// For payloads that must go on byte by byte, which a parser that makes numbers would not keep. One
// pass, no copies but of strings with escapes. Any thread.
#pragma once

#include <string>
#include <string_view>

namespace bitvelocity::pipeline {

struct JsonMember {
    bool found = false;
    bool null = false;
    bool string = false;
    // The text of the value; of a string what it says, without quotes and escapes.
    std::string text;
};

// False: `json` is not one JSON object. Of a name that is there twice the last one counts.
[[nodiscard]] bool FindJsonMember(std::string_view json, std::string_view name, JsonMember& member);

}  // namespace bitvelocity::pipeline
