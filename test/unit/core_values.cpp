#include <cstring>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>

#include "core/backoff.hpp"
#include "core/builtin_types.hpp"
#include "core/change.hpp"
#include "core/lsn.hpp"
#include "core/nearest.hpp"
#include "core/oids.hpp"
#include "core/percent.hpp"
#include "core/schema.hpp"
#include "core/status.hpp"

namespace bitvelocity::core {
namespace {

TEST(Percent, KeepsWhatASegmentOfAPathMayHold) {
    EXPECT_EQ(PercentEncoded("aZ09-._~"), "aZ09-._~");
    EXPECT_EQ(PercentEncoded("a/b c%\xc3\xa4"), "a%2Fb%20c%25%C3%A4");
}

TEST(Lsn, HasPostgresTextForm) {
    EXPECT_EQ(ToString(Lsn{0}), "0/0");
    EXPECT_EQ(ToString(Lsn{0x16'B374'D848}), "16/B374D848");
    EXPECT_EQ(ToString(Lsn{~0ULL}), "FFFFFFFF/FFFFFFFF");
    EXPECT_FALSE(Lsn{}.valid());
}

TEST(Lsn, RoundTrips) {
    std::mt19937_64 random(1);
    for (int i = 0; i < 10'000; ++i) {
        const Lsn lsn{random() >> (random() % 64)};
        const auto parsed = ParseLsn(ToString(lsn));
        ASSERT_TRUE(parsed.has_value());
        ASSERT_EQ(*parsed, lsn);
    }
    EXPECT_EQ(ParseLsn("16/b374d848"), Lsn{0x16'B374'D848});
}

TEST(Lsn, RefusesWhatIsNone) {
    for (const char* text : {"", "/", "1", "1/", "/1", "1/2/3", "g/1", "123456789/0", "0/123456789",
                             "-1/0", "0x1/0", " 1/0", "1/0 "}) {
        EXPECT_FALSE(ParseLsn(text).has_value()) << text;
    }
}

TEST(Status, CarriesAnError) {
    EXPECT_TRUE(Status::Ok().ok());
    const Status status = Status::Fail(kInvalidParameter, "message", "Detail.", "Hint.");
    ASSERT_FALSE(status.ok());
    EXPECT_EQ(status.error().sqlstate, "22023");
    EXPECT_EQ(status.error().hint, "Hint.");
}

TEST(Result, NeverHoldsSuccessAsItsError) {
    const Result<int> result(Status::Ok());
    ASSERT_FALSE(result.ok());
    EXPECT_EQ(result.error().sqlstate, kInternalError);
}

TEST(Backoff, DoublesToItsLimitAndForgetsAfterHealth) {
    Backoff backoff(100, 1000, 5000);
    std::int64_t now = 0;
    std::vector<std::int64_t> delays;
    for (int i = 0; i < 6; ++i) {
        backoff.Started(now);
        delays.push_back(backoff.Failed(now + 1) - (now + 1));
        now += 2000;
    }
    EXPECT_EQ(delays, (std::vector<std::int64_t>{100, 200, 400, 800, 1000, 1000}));
    backoff.Started(now);
    EXPECT_EQ(backoff.Failed(now + 5000), now + 5100);
}

TEST(EventId, IsUniqueWithinATransaction) {
    const Source source{.system_identifier = 1, .database_oid = 2, .database = "d", .stream = "s"};
    std::set<std::string> seen;
    for (std::uint64_t ordinal = 1; ordinal <= 300; ++ordinal) {
        for (const std::uint32_t part : {0U, 1U, 2U, 1023U, 1024U, 5000U}) {
            std::string text;
            AppendUuid(text, MakeEventId({&source, Lsn{0x1234560}, 77, ordinal, part}));
            ASSERT_TRUE(seen.insert(text).second) << ordinal << "." << part;
        }
    }
}

TEST(EventId, DependsOnEveryPartOfTheIdentity) {
    const Source a{.system_identifier = 1, .database_oid = 2, .database = "d", .stream = "s"};
    std::vector<Source> sources(5, a);
    sources[1].system_identifier = 2;
    sources[2].database_oid = 3;
    sources[3].stream = "t";
    sources[4].epoch = 2;
    std::set<std::string> seen;
    const auto add = [&seen](const Identity& identity) {
        std::string text;
        AppendUuid(text, MakeEventId(identity));
        EXPECT_TRUE(seen.insert(text).second);
    };
    for (const Source& source : sources) {
        add({&source, Lsn{160}, 7, 1, 0});
    }
    add({&a, Lsn{176}, 7, 1, 0});
    add({&a, Lsn{160}, 8, 1, 0});
    add({&a, Lsn{160}, 7, 2, 0});
    add({&a, Lsn{160}, 7, 1, 1});
    add({nullptr, Lsn{160}, 7, 1, 0});
}

TEST(EventId, IsTheSameOutOfASequence) {
    const Source a{.system_identifier = 1, .database_oid = 2, .database = "d", .stream = "s"};
    Source b = a;
    b.epoch = 2;
    std::mt19937_64 random(3);
    EventIds ids;
    for (int i = 0; i < 2000; ++i) {
        const Identity identity{random() % 8 == 0 ? &b : &a, Lsn{16 * (random() % 3)},
                                static_cast<std::uint32_t>(random() % 2), random() % 100, 0};
        const EventId in_sequence = ids.Make(identity);
        const EventId alone = MakeEventId(identity);
        ASSERT_EQ(std::memcmp(in_sequence.bytes, alone.bytes, sizeof(alone.bytes)), 0);
    }
}

TEST(EventId, IsAVersion8UuidThatSortsByPosition) {
    const Source source{.system_identifier = 1, .database_oid = 2, .database = "d", .stream = "s"};
    std::mt19937_64 random(2);
    std::vector<std::uint64_t> lsns;
    for (int i = 0; i < 2000; ++i) {
        lsns.push_back((random() >> (random() % 60)) & ~15ULL);
    }
    std::sort(lsns.begin(), lsns.end());
    std::string last;
    std::uint64_t last_lsn = 0;
    for (const std::uint64_t lsn : lsns) {
        std::string text;
        AppendUuid(text, MakeEventId({&source, Lsn{lsn}, 1, 1, 0}));
        ASSERT_EQ(text.size(), 36U);
        ASSERT_EQ(text[14], '8');
        ASSERT_NE(std::string("89ab").find(text[19]), std::string::npos);
        if (lsn != last_lsn) {
            ASSERT_LT(last, text);
        }
        last = text;
        last_lsn = lsn;
    }
}

TEST(RelationSchema, KnowsWhatIdentifiesARow) {
    RelationSchema schema;
    for (const char* name : {"a", "b", "c"}) {
        schema.columns.emplace_back().name = name;
    }
    EXPECT_TRUE(schema.KeyColumns().empty());
    schema.columns[1].primary_key = true;
    EXPECT_EQ(schema.KeyColumns(), std::vector<std::size_t>{1});
    schema.replica_identity = ReplicaIdentity::kIndex;
    schema.columns[2].key = true;
    EXPECT_EQ(schema.KeyColumns(), std::vector<std::size_t>{2});
    schema.replica_identity = ReplicaIdentity::kFull;
    schema.columns[0].key = schema.columns[1].key = true;
    EXPECT_EQ(schema.KeyColumns(), std::vector<std::size_t>{1});
    schema.columns[1].primary_key = false;
    EXPECT_TRUE(schema.KeyColumns().empty());
}

TEST(Nearest, FindsTheNameThatWasMeant) {
    const std::set<std::string> known = {"topic", "partitions", "event.schema"};
    EXPECT_EQ(EditDistance("kitten", "sitting"), 3U);
    EXPECT_EQ(EditDistance("", "abc"), 3U);
    EXPECT_EQ(NearestName("topc", known), "topic");
    EXPECT_EQ(NearestName("Event.Shema", known), "event.schema");
    EXPECT_EQ(NearestName("zzzzzzzz", known), "");
    EXPECT_EQ(NearestName(std::string(100'000, 'x'), known), "");
    EXPECT_EQ(NearestHint("topc", known, "options"), "Perhaps you meant \"topic\".");
    EXPECT_EQ(NearestHint("zzz", known, "options"),
              "Known options are event.schema, partitions and topic.");
    EXPECT_EQ(NearestHint("zzz", {}, "options"), "There are no options here.");
}

TEST(BuiltinTypes, KnowsPostgresOwn) {
    BuiltinTypes types;
    EXPECT_EQ(types.Get(kNumericOid)->name, "numeric");
    const TypePtr array = types.Get(1231);
    EXPECT_EQ(array->name, "_numeric");
    EXPECT_EQ(array->kind, TypeKind::kArray);
    ASSERT_NE(array->element, nullptr);
    EXPECT_EQ(array->element->oid, kNumericOid);
    EXPECT_EQ(types.Get(603)->delimiter, ';');
    EXPECT_EQ(types.Get(kOidVectorOid)->element->oid, kOidOid);
    EXPECT_EQ(types.Get(99'999)->name, "");
    EXPECT_EQ(types.Get(99'999).get(), types.Get(99'999).get());
}

}  // namespace
}  // namespace bitvelocity::core
