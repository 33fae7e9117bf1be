#include "stream/model/row_key.hpp"

#include <gtest/gtest.h>

namespace bitvelocity::stream::model {
namespace {

core::TypePtr Type(core::Oid oid) {
    auto type = std::make_shared<core::TypeDescription>();
    type->oid = oid;
    return type;
}

core::RelationSchema Orders() {
    core::RelationSchema relation;
    relation.version = 1;
    for (const auto& [name, oid, key] :
         {std::tuple{"note", 25U, false}, {"day", 1082U, true}, {"id", 23U, true}}) {
        core::Column column;
        column.name = name;
        column.type = Type(oid);
        column.key = key;
        relation.columns.push_back(column);
    }
    return relation;
}

core::Value Text(std::string_view text) {
    return {core::ValueKind::kText, text};
}

TEST(RowKeys, OneRowHasOneKeyWhereverItsColumnsStand) {
    RowKeys keys({{"id", 23}, {"day", 1082}}, false);
    const core::RelationSchema relation = Orders();
    const core::Value row[] = {{core::ValueKind::kUnchanged, {}}, Text("2024-01-01"), Text("7")};
    const core::Value old[] = {{}, Text("2024-01-01"), Text("7")};
    const auto key = keys.Make(relation, row, false);
    ASSERT_TRUE(key.has_value());
    EXPECT_EQ(keys.Make(relation, old, true), key);
    const auto values = SplitRowKey(*key);
    ASSERT_EQ(values.size(), 2U);
    EXPECT_EQ(values[0], "7");
    EXPECT_EQ(values[1], "2024-01-01");

    core::RelationSchema other = Orders();
    other.version = 2;
    std::swap(other.columns[0], other.columns[2]);
    const core::Value swapped[] = {Text("7"), Text("2024-01-01"), Text("x")};
    EXPECT_EQ(keys.Make(other, swapped, false), key);
}

TEST(RowKeys, TellsNullFromEmptyAndOneValueFromTwo) {
    RowKeys keys({{"note", 25}, {"day", 1082}, {"id", 23}}, true);
    const core::RelationSchema relation = Orders();
    const core::Value null[] = {{}, Text("a"), Text("b")};
    const core::Value empty[] = {Text(""), Text("a"), Text("b")};
    const core::Value joined[] = {Text("a"), Text(""), Text("b")};
    const auto key = keys.Make(relation, null, false);
    EXPECT_NE(key, keys.Make(relation, empty, false));
    EXPECT_NE(keys.Make(relation, empty, false), keys.Make(relation, joined, false));
    EXPECT_EQ(SplitRowKey(*key)[0], std::nullopt);
}

TEST(RowKeys, HasNoKeyForWhatIsNotTold) {
    RowKeys keys({{"id", 23}}, false);
    core::RelationSchema relation = Orders();
    const core::Value unchanged[] = {Text("n"), Text("d"), {core::ValueKind::kUnchanged, {}}};
    EXPECT_FALSE(keys.Make(relation, unchanged, false).has_value());
    EXPECT_FALSE(keys.Make(relation, {}, false).has_value());
    const core::Value row[] = {Text("n"), Text("d"), Text("1")};
    EXPECT_TRUE(keys.Make(relation, row, true).has_value());
    relation.version = 2;
    relation.columns[2].key = false;
    EXPECT_FALSE(keys.Make(relation, row, true).has_value()) << "not in the replica identity";
    relation.version = 3;
    relation.columns[2].type = Type(20);
    EXPECT_FALSE(keys.Make(relation, row, false).has_value()) << "another type";
    relation.version = 4;
    relation.columns[2] = Orders().columns[2];
    relation.columns[2].name = "number";
    EXPECT_FALSE(keys.Make(relation, row, false).has_value()) << "another name";
    RowKeys whole({{"id", 23}}, true);
    EXPECT_FALSE(whole.Make(Orders(), row, false).has_value()) << "another number of columns";
}

}  // namespace
}  // namespace bitvelocity::stream::model
