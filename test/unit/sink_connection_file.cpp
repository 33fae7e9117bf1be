// The connection file: its syntax, who may read it, and that no value leaves it through an error.

#include "sink/connection_file.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <string>

namespace bitvelocity::sink {
namespace {

ConnectionProperties Connection(std::string_view text, std::string_view name) {
    auto file = ParseConnectionFile(text);
    EXPECT_TRUE(file.ok()) << file.error().message;
    auto found = FindConnection(*file, name);
    EXPECT_TRUE(found.ok());
    return found.ok() ? *found : ConnectionProperties{};
}

TEST(ConnectionFile, HasSectionsCommentsAndValuesToTheEndOfTheLine) {
    constexpr std::string_view kText =
        "# shared\n"
        "bootstrap.servers = a:9092,b:9092\r\n"
        "\n"
        "; another comment\n"
        "[ billing ]\n"
        "  sasl.password =  p#a=s;s \"w\" \n"
        "sasl.username=u";
    EXPECT_EQ(Connection(kText, "default"),
              (ConnectionProperties{{"bootstrap.servers", "a:9092,b:9092"}}));
    EXPECT_EQ(Connection(kText, "billing"),
              (ConnectionProperties{{"sasl.password", "p#a=s;s \"w\""}, {"sasl.username", "u"}}));
}

TEST(ConnectionFile, KeepsAnEmptyValueAndAnEmptySection) {
    EXPECT_EQ(Connection("[a]\nsasl.username =\n[b]\n", "a"),
              (ConnectionProperties{{"sasl.username", ""}}));
    EXPECT_EQ(Connection("[a]\n[b]\n", "b"), ConnectionProperties{});
}

TEST(ConnectionFile, AnUnknownConnectionIsRefusedWithTheNearestName) {
    auto file = ParseConnectionFile("[billing]\na = b\n");
    ASSERT_TRUE(file.ok());
    auto found = FindConnection(*file, "biling");
    ASSERT_FALSE(found.ok());
    EXPECT_EQ(found.error().sqlstate, core::kInvalidParameter);
    EXPECT_NE(found.error().hint.find("billing"), std::string::npos);
    EXPECT_FALSE(FindConnection(ConnectionFile{}, "default").ok());
}

TEST(ConnectionFile, ErrorsNameTheLineAndNeverItsContent) {
    const std::string texts[] = {
        "a = 1\nsentinelsecret\n",          // no property at all
        "a = 1\nSentinelSecret+/x==\n",     // the last line of a pasted key
        "a = 1\n= sentinelsecret\n",        // no name
        "a = 1\n[sentinel secret]\n",       // a section that is none
        "a = 1\n[sentinel\n",               //
        "a = 1\na = sentinelsecret\n",      // twice
        "[x]\n[x]\npassword = sentinel\n",  // a section twice
        "a = 1\n[default]\nb = sentinel\n",
    };
    for (const std::string& text : texts) {
        auto file = ParseConnectionFile(text);
        ASSERT_FALSE(file.ok()) << text;
        const core::Error& error = file.error();
        EXPECT_EQ(error.sqlstate, core::kConfigFileError);
        EXPECT_EQ(error.detail, "Line 2 of the connection file.");
        for (const std::string& part : {error.message, error.detail, error.hint}) {
            EXPECT_EQ(part.find("entinel"), std::string::npos) << part;
        }
    }
}

TEST(ConnectionFile, MayOnlyBeReadByTheServer) {
    constexpr std::uint32_t kServer = 26;
    EXPECT_TRUE(CheckConnectionFile(S_IFREG | 0600, kServer, kServer).ok());
    EXPECT_TRUE(CheckConnectionFile(S_IFREG | 0400, kServer, kServer).ok());
    EXPECT_TRUE(CheckConnectionFile(S_IFREG | 0640, 0, kServer).ok());
    EXPECT_FALSE(CheckConnectionFile(S_IFREG | 0640, kServer, kServer).ok());
    EXPECT_FALSE(CheckConnectionFile(S_IFREG | 0604, kServer, kServer).ok());
    EXPECT_FALSE(CheckConnectionFile(S_IFREG | 0660, 0, kServer).ok());
    EXPECT_FALSE(CheckConnectionFile(S_IFREG | 0644, 0, kServer).ok());
    EXPECT_FALSE(CheckConnectionFile(S_IFREG | 0600, 1000, kServer).ok());
    EXPECT_FALSE(CheckConnectionFile(S_IFDIR | 0700, kServer, kServer).ok());
    EXPECT_FALSE(CheckConnectionFile(S_IFIFO | 0600, kServer, kServer).ok());
}

}  // namespace
}  // namespace bitvelocity::sink
