// The writers that types.cpp chooses from. Each knows one way of writing a value; which type it is
// for, and with which parameters, stands there.
#pragma once

#include "format/debezium/value.hpp"

namespace bitvelocity::format::debezium {

// scalars.cpp
bool WriteNumber(JsonWriter& out, const ValuePlan& plan, std::string_view text);
bool WriteDouble(JsonWriter& out, const ValuePlan& plan, std::string_view text);   // rounded
bool WriteBool(JsonWriter& out, const ValuePlan& plan, std::string_view text);     // t, f, 1, 0
bool WriteDecimal(JsonWriter& out, const ValuePlan& plan, std::string_view text);  // plan.digits
bool WriteVariableDecimal(JsonWriter& out, const ValuePlan& plan, std::string_view text);
bool WriteDecimalText(JsonWriter& out, const ValuePlan& plan, std::string_view text);
bool WriteMoney(JsonWriter& out, const ValuePlan& plan, std::string_view text);   // as plan.element
bool WriteBase64(JsonWriter& out, const ValuePlan& plan, std::string_view text);  // of a bytea
bool WriteHex(JsonWriter& out, const ValuePlan& plan, std::string_view text);     // of a bytea
bool WriteTextBase64(JsonWriter& out, const ValuePlan& plan, std::string_view text);  // of the text
bool WriteTextHex(JsonWriter& out, const ValuePlan& plan, std::string_view text);
bool WriteBits(JsonWriter& out, const ValuePlan& plan, std::string_view text);
bool WritePoint(JsonWriter& out, const ValuePlan& plan, std::string_view text);

// containers.cpp
bool WriteList(JsonWriter& out, const ValuePlan& plan, std::string_view text);  // of plan.element
// int2vector, oidvector: elements separated by blanks.
bool WriteNumberVector(JsonWriter& out, const ValuePlan& plan, std::string_view text);
bool WriteHstoreJson(JsonWriter& out, const ValuePlan& plan, std::string_view text);
bool WriteHstoreMap(JsonWriter& out, const ValuePlan& plan, std::string_view text);

// times.cpp
bool WriteDays(JsonWriter& out, const ValuePlan& plan, std::string_view text);
bool WriteIsoDate(JsonWriter& out, const ValuePlan& plan, std::string_view text);
bool WriteTimeOfDay(JsonWriter& out, const ValuePlan& plan, std::string_view text);
bool WriteIsoTime(JsonWriter& out, const ValuePlan& plan, std::string_view text);
bool WriteTimestamp(JsonWriter& out, const ValuePlan& plan, std::string_view text);
bool WriteIsoTimestamp(JsonWriter& out, const ValuePlan& plan, std::string_view text);
bool WriteZonedTimestamp(JsonWriter& out, const ValuePlan& plan, std::string_view text);
bool WriteZonedTime(JsonWriter& out, const ValuePlan& plan, std::string_view text);
bool WriteIntervalMicros(JsonWriter& out, const ValuePlan& plan, std::string_view text);
bool WriteIntervalIso(JsonWriter& out, const ValuePlan& plan, std::string_view text);

}  // namespace bitvelocity::format::debezium
