// JsonType: how a value of one type becomes JSON, the same as to_jsonb would make it.
//
// Built-in scalars are converted here, by their text under the settings that the process pins; what
// needs code of its own (arrays, composites, types with a cast to json) goes through the type's
// input function and to_jsonb itself, in a subtransaction as the table's owner, so that a value
// that can no longer be read (its type is gone or has changed) becomes its text instead of an
// error. Domains are their base type: to_jsonb does not look at their constraints either.
//
// Found through the present catalogue; a type that is gone there is text. What a composite was when
// a change was made is trail/recorded_value's. Main thread, in a
// transaction; results are made in the current memory context.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "core/schema.hpp"

struct JsonbValue;

namespace bitvelocity::trail {

enum class JsonKind : std::uint8_t {
    kBool,
    kInteger,
    kNumber,  // NaN and infinities are strings
    kDate,
    kTimestamp,
    kTimestamptz,
    kJson,
    kString,
    kConvert,  // only through Convert
    kLocal,    // its output obeys search_path or lc_monetary: text; from memory through Convert
};

struct JsonType;
using JsonTypePtr = std::shared_ptr<const JsonType>;

// `type` may be null where the caller knows only an OID.
[[nodiscard]] JsonTypePtr FindJsonType(core::Oid oid, const core::TypeDescription* type);
[[nodiscard]] JsonKind KindOf(const JsonType& type);
// The value has to go through Convert.
[[nodiscard]] bool NeedsConvert(const JsonType& type, std::string_view text);

// Plain: to be called inside a guarded call. `text` need not end with a zero byte.
void ToJson(const JsonType& type, std::string_view text, JsonbValue* value);
// The general way, as `owner`. Survives errors of the type's own code (and of JSON that jsonb
// cannot hold): the result is then the text.
void Convert(const JsonType& type, std::string_view text, core::Oid owner, JsonbValue* value);

// The same from a value in memory, under a PinnedOutput. The general way is needed for what runs
// code of a user and for json that jsonb may refuse.
[[nodiscard]] bool NeedsConvert(const JsonType& type, std::uintptr_t datum);
void ToJson(const JsonType& type, std::uintptr_t datum, JsonbValue* value);
void Convert(const JsonType& type, std::uintptr_t datum, core::Oid owner, JsonbValue* value);

// Output functions obey settings of the session. While this lives they are those that the workers
// pin, so that a value has one JSON form, whoever writes it. Sets variables, not settings: nothing
// that runs meanwhile may change them.
class PinnedOutput {
  public:
    PinnedOutput();
    ~PinnedOutput() noexcept;
    PinnedOutput(const PinnedOutput&) = delete;
    PinnedOutput& operator=(const PinnedOutput&) = delete;

  private:
    int date_style_;
    int interval_style_;
    int float_digits_;
    int bytea_;
    void* zone_;
};

// Order of keys in jsonb: shorter first, then by bytes.
[[nodiscard]] bool JsonKeyLess(std::string_view a, std::string_view b);

}  // namespace bitvelocity::trail
