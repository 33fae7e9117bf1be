#include "stream/column_text.hpp"

namespace bitvelocity::stream {

namespace {

using Kind = ColumnText::Kind;

// The longest text of a type that is written in place: of a numeric a sign, 7 groups of 4 digits, a
// point and 24 digits in whole groups.
constexpr int kPlaceBytes = 64;
constexpr int kLengthAt = 1;
constexpr int kTextAt = kLengthAt + static_cast<int>(sizeof(uint32));

Kind KindOf(Oid type) {
    switch (type) {
        case BOOLOID:
            return Kind::kBool;
        case INT2OID:
            return Kind::kInt2;
        case INT4OID:
            return Kind::kInt4;
        case INT8OID:
            return Kind::kInt8;
        case TEXTOID:
        case VARCHAROID:
        case BPCHAROID:
        case JSONOID:
            return Kind::kText;
        case DATEOID:
            return Kind::kDate;
        case TIMESTAMPOID:
            return Kind::kTimestamp;
        case TIMESTAMPTZOID:
            return Kind::kTimestampTz;
        case UUIDOID:
            return Kind::kUuid;
        case NUMERICOID:
            return Kind::kNumeric;
        default:
            return type < FirstGenbkiObjectId ? Kind::kFunction : Kind::kUnprepared;
    }
}

// Of the types that their output functions print, those whose functions look nothing up.
bool PrintsAlone(Oid type) {
    switch (type) {
        case BYTEAOID:
        case CHAROID:
        case NAMEOID:
        case OIDOID:
        case FLOAT4OID:
        case FLOAT8OID:
        case JSONBOID:
        case TIMEOID:
        case TIMETZOID:
        case INTERVALOID:
        case INETOID:
        case CIDROID:
        case MACADDROID:
        case MACADDR8OID:
        case BITOID:
        case VARBITOID:
            return true;
        default:
            return false;
    }
}

void MakeRoom(StringInfo out, int bytes) {
    if (out->len + bytes >= out->maxlen) {
        enlargeStringInfo(out, bytes);
    }
}

void PutLength(char* column, std::size_t length) {
    const uint32 network = pg_hton32(static_cast<uint32>(length));
    std::memcpy(column + kLengthAt, &network, sizeof(network));
}

void AppendText(StringInfo out, const char* text, std::size_t length) {
    if (GetDatabaseEncoding() != PG_UTF8) {
        const char* utf8 = pg_server_to_any(text, static_cast<int>(length), PG_UTF8);
        if (utf8 != text) {
            text = utf8;
            length = std::strlen(utf8);
        }
    }
    MakeRoom(out, static_cast<int>(length) + kTextAt);
    char* at = out->data + out->len;
    at[0] = LOGICALREP_COLUMN_TEXT;
    PutLength(at, length);
    std::memcpy(at + kTextAt, text, length);
    out->len += kTextAt + static_cast<int>(length);
}

char* TwoDigits(char* at, int value) {
    at[0] = static_cast<char>('0' + value / 10);
    at[1] = static_cast<char>('0' + value % 10);
    return at + 2;
}

// Null outside the years 1 to 9999, where more than digits is printed.
char* PutDate(char* at, int64 days_since_2000) {
    static int64 known_day = PG_INT64_MIN;
    static char known_text[10];
    if (days_since_2000 != known_day) {
        constexpr int64 kFirst = -730119;  // 0001-01-01
        constexpr int64 kLast = 2921939;   // 9999-12-31
        if (days_since_2000 < kFirst || days_since_2000 > kLast) {
            return nullptr;
        }
        int year = 0;
        int month = 0;
        int day = 0;
        j2date(static_cast<int>(days_since_2000) + POSTGRES_EPOCH_JDATE, &year, &month, &day);
        char* to = TwoDigits(TwoDigits(known_text, year / 100), year % 100);
        *to++ = '-';
        to = TwoDigits(to, month);
        *to++ = '-';
        TwoDigits(to, day);
        known_day = days_since_2000;
    }
    std::memcpy(at, known_text, sizeof(known_text));
    return at + sizeof(known_text);
}

char* PutTimestamp(char* at, Timestamp value, bool zone) {
    int64 day = value / USECS_PER_DAY;
    int64 time = value % USECS_PER_DAY;
    if (time < 0) {
        --day;
        time += USECS_PER_DAY;
    }
    at = PutDate(at, day);
    if (at == nullptr) {
        return nullptr;
    }
    const auto seconds = static_cast<int>(time / USECS_PER_SEC);
    auto fraction = static_cast<int>(time % USECS_PER_SEC);
    *at++ = ' ';
    at = TwoDigits(at, seconds / SECS_PER_HOUR);
    *at++ = ':';
    at = TwoDigits(at, seconds / SECS_PER_MINUTE % MINS_PER_HOUR);
    *at++ = ':';
    at = TwoDigits(at, seconds % SECS_PER_MINUTE);
    if (fraction != 0) {
        *at++ = '.';
        at = TwoDigits(TwoDigits(TwoDigits(at, fraction / 10000), fraction / 100 % 100),
                       fraction % 100);
        while (at[-1] == '0') {
            --at;
        }
    }
    if (zone) {
        std::memcpy(at, "+00", 3);
        at += 3;
    }
    return at;
}

char* PutUuid(char* at, const pg_uuid_t* uuid) {
    static constexpr char kDigits[] = "0123456789abcdef";
    for (int i = 0; i < UUID_LEN; ++i) {
        if (i == 4 || i == 6 || i == 8 || i == 10) {
            *at++ = '-';
        }
        *at++ = kDigits[uuid->data[i] >> 4];
        *at++ = kDigits[uuid->data[i] & 0x0F];
    }
    return at;
}

// A numeric in its short form (src/backend/utils/adt/numeric.c, "NumericShort"; pg_upgrade keeps
// it): a header of two bytes, then digits to the base of 10000 from the most significant one, whose
// place is the weight. Null where it has another form or might not fit.
char* PutNumeric(char* at, const struct varlena* value) {
    constexpr int kMostWeight = 6;
    constexpr int kMostScale = 24;
    if (VARATT_IS_EXTERNAL(value) || VARATT_IS_COMPRESSED(value)) {
        return nullptr;
    }
    const char* data = VARDATA_ANY(value);
    uint16 header = 0;
    std::memcpy(&header, data, sizeof(header));
    const bool is_short = (header & 0xC000) == 0x8000;
    const int scale = (header & 0x1F80) >> 7;
    const int weight = (header & 0x3F) - (header & 0x40);
    const int count = static_cast<int>((VARSIZE_ANY_EXHDR(value) - sizeof(header)) / sizeof(int16));
    if (!is_short || weight > kMostWeight || scale > kMostScale) {
        return nullptr;
    }
    const auto group = [&](int place) {
        int16 digits = 0;
        if (place >= 0 && place < count) {
            std::memcpy(&digits, data + sizeof(header) + place * sizeof(int16), sizeof(digits));
        }
        return static_cast<int>(digits);
    };
    if ((header & 0x2000) != 0) {
        *at++ = '-';
    }
    at += pg_ltoa(weight < 0 ? 0 : group(0), at);
    for (int place = 1; place <= weight; ++place) {
        at = TwoDigits(TwoDigits(at, group(place) / 100), group(place) % 100);
    }
    if (scale > 0) {
        *at++ = '.';
        char* const end = at + scale;
        for (int place = weight + 1; at < end; ++place) {
            at = TwoDigits(TwoDigits(at, group(place) / 100), group(place) % 100);
        }
        at = end;
    }
    return at;
}

// Behind the last byte; null: the output function has to be asked.
char* Put(char* at, Kind kind, Datum value) {
    switch (kind) {
        case Kind::kBool:
            *at = DatumGetBool(value) ? 't' : 'f';
            return at + 1;
        case Kind::kInt2:
            return at + pg_itoa(DatumGetInt16(value), at);
        case Kind::kInt4:
            return at + pg_ltoa(DatumGetInt32(value), at);
        case Kind::kInt8:
            return at + pg_lltoa(DatumGetInt64(value), at);
        case Kind::kDate:
            return PutDate(at, DatumGetDateADT(value));
        case Kind::kTimestamp:
            return PutTimestamp(at, DatumGetTimestamp(value), false);
        case Kind::kTimestampTz:
            return PutTimestamp(at, DatumGetTimestampTz(value), true);
        case Kind::kUuid:
            return PutUuid(at, DatumGetUUIDP(value));
        case Kind::kNumeric:
            return PutNumeric(at, reinterpret_cast<const struct varlena*>(DatumGetPointer(value)));
        default:
            return nullptr;
    }
}

}  // namespace

void PrepareColumn(ColumnText* column, Oid type, MemoryContext memory) {
    // A domain prints as its base type does.
    const Oid base = getBaseType(type);
    bool variable = false;
    getTypeOutputInfo(base, &column->function, &variable);
    column->kind = KindOf(base);
    // What is said of a user's type is read again when it changes; a conversion between encodings
    // is looked up.
    column->alone = type == base && GetDatabaseEncoding() == PG_UTF8 &&
                    (column->kind < Kind::kFunction || PrintsAlone(base));
    fmgr_info_cxt(column->function, &column->output, memory);
}

void AppendColumn(StringInfo out, ColumnText* column, Datum value) {
    if (column->kind == Kind::kText) {
        auto* given = reinterpret_cast<struct varlena*>(DatumGetPointer(value));
        struct varlena* plain = VARATT_IS_EXTERNAL(given) || VARATT_IS_COMPRESSED(given)
                                    ? pg_detoast_datum_packed(given)
                                    : given;
        AppendText(out, VARDATA_ANY(plain), VARSIZE_ANY_EXHDR(plain));
        if (plain != given) {
            pfree(plain);
        }
        return;
    }
    if (column->kind < Kind::kFunction) {
        MakeRoom(out, kPlaceBytes);
        char* at = out->data + out->len;
        if (const char* end = Put(at + kTextAt, column->kind, value)) {
            at[0] = LOGICALREP_COLUMN_TEXT;
            PutLength(at, static_cast<std::size_t>(end - at) - kTextAt);
            out->len += static_cast<int>(end - at);
            return;
        }
    }
    const char* text = column->kind == Kind::kUnprepared
                           ? OidOutputFunctionCall(column->function, value)
                           : OutputFunctionCall(&column->output, value);
    AppendText(out, text, std::strlen(text));
}

}  // namespace bitvelocity::stream
