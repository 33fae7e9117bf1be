// OIDs of built-in types (PostgreSQL: src/include/catalog/pg_type.dat); they never change.
#pragma once

#include "core/schema.hpp"

namespace bitvelocity::core {

inline constexpr Oid kBoolOid = 16;
inline constexpr Oid kByteaOid = 17;
inline constexpr Oid kCharOid = 18;
inline constexpr Oid kNameOid = 19;
inline constexpr Oid kInt8Oid = 20;
inline constexpr Oid kInt2Oid = 21;
inline constexpr Oid kInt2VectorOid = 22;
inline constexpr Oid kInt4Oid = 23;
inline constexpr Oid kTextOid = 25;
inline constexpr Oid kOidOid = 26;
inline constexpr Oid kOidVectorOid = 30;
inline constexpr Oid kJsonOid = 114;
inline constexpr Oid kXmlOid = 142;
inline constexpr Oid kPointOid = 600;
inline constexpr Oid kFloat4Oid = 700;
inline constexpr Oid kFloat8Oid = 701;
inline constexpr Oid kMoneyOid = 790;
inline constexpr Oid kMacaddr8Oid = 774;
inline constexpr Oid kMacaddrOid = 829;
inline constexpr Oid kInetOid = 869;
inline constexpr Oid kCidrOid = 650;
inline constexpr Oid kBpcharOid = 1042;
inline constexpr Oid kVarcharOid = 1043;
inline constexpr Oid kDateOid = 1082;
inline constexpr Oid kTimeOid = 1083;
inline constexpr Oid kTimestampOid = 1114;
inline constexpr Oid kTimestamptzOid = 1184;
inline constexpr Oid kIntervalOid = 1186;
inline constexpr Oid kTimetzOid = 1266;
inline constexpr Oid kBitOid = 1560;
inline constexpr Oid kVarbitOid = 1562;
inline constexpr Oid kNumericOid = 1700;
inline constexpr Oid kUuidOid = 2950;
inline constexpr Oid kPgLsnOid = 3220;
inline constexpr Oid kTsvectorOid = 3614;
inline constexpr Oid kTsqueryOid = 3615;
inline constexpr Oid kJsonbOid = 3802;
inline constexpr Oid kInt4RangeOid = 3904;
inline constexpr Oid kNumRangeOid = 3906;
inline constexpr Oid kTsRangeOid = 3908;
inline constexpr Oid kTstzRangeOid = 3910;
inline constexpr Oid kDateRangeOid = 3912;
inline constexpr Oid kInt8RangeOid = 3926;

// OIDs below this one belong to the server itself (access/transam.h: FirstNormalObjectId).
inline constexpr Oid kFirstUserOid = 16384;

}  // namespace bitvelocity::core
