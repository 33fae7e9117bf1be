#include "stream/slot_record.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include "stream/slot.hpp"

namespace bitvelocity::stream {

namespace {

constexpr const char* kDirectory = "bitvelocity";
constexpr std::uint32_t kMagic = 0x42565352;
// A sector: what a disk writes whole.
constexpr off_t kImageDistance = 512;

struct Image {
    std::uint32_t magic;
    pg_crc32c checksum;  // of the record
    SlotRecord record;
};

pg_crc32c ChecksumOf(const SlotRecord& record) {
    pg_crc32c checksum;
    INIT_CRC32C(checksum);
    COMP_CRC32C(checksum, &record, sizeof(record));
    FIN_CRC32C(checksum);
    return checksum;
}

void PathOf(const char* slot, char (&path)[MAXPGPATH]) {
    snprintf(path, sizeof(path), "%s/%s", kDirectory, slot);
}

[[noreturn]] void FileError(const char* what, const char* path) {
    ereport(ERROR, (errcode_for_file_access(), errmsg("could not %s file \"%s\": %m", what, path)));
    pg_unreachable();
}

void MakeFile(const char* path) {
    if (MakePGDirectory(kDirectory) < 0 && errno != EEXIST) {
        FileError("create", kDirectory);
    }
    const int fd =
        OpenTransientFilePerm(path, O_CREAT | O_TRUNC | O_RDWR | PG_BINARY, S_IRUSR | S_IWUSR);
    const char zeros[2 * kImageDistance] = {};
    if (fd < 0 || write(fd, zeros, sizeof(zeros)) != static_cast<ssize_t>(sizeof(zeros)) ||
        pg_fsync(fd) != 0) {
        FileError("create", path);
    }
    CloseTransientFile(fd);
    fsync_fname(kDirectory, true);
}

}  // namespace

SlotRecord ReadSlotRecord(const char* slot) {
    char path[MAXPGPATH];
    PathOf(slot, path);
    SlotRecord newest{};
    const int fd = OpenTransientFile(path, O_RDONLY | PG_BINARY);
    if (fd < 0) {
        if (errno != ENOENT) {
            FileError("open", path);
        }
        return newest;
    }
    for (int i = 0; i < 2; ++i) {
        Image image;
        if (pg_pread(fd, &image, sizeof(image), i * kImageDistance) ==
                static_cast<ssize_t>(sizeof(image)) &&
            image.magic == kMagic && image.checksum == ChecksumOf(image.record) &&
            image.record.sequence > newest.sequence) {
            newest = image.record;
        }
    }
    CloseTransientFile(fd);
    return newest;
}

void WriteSlotRecord(const char* slot, SlotRecord* record, bool create) {
    char path[MAXPGPATH];
    PathOf(slot, path);
    struct stat status;
    if (create && stat(path, &status) != 0) {
        MakeFile(path);
    }
    ++record->sequence;
    Image image{};
    image.magic = kMagic;
    image.record = *record;
    image.checksum = ChecksumOf(image.record);
    const int fd = OpenTransientFile(path, O_RDWR | PG_BINARY);
    if (fd < 0) {
        FileError("open", path);
    }
    const auto at = static_cast<off_t>(record->sequence % 2) * kImageDistance;
    if (pg_pwrite(fd, &image, sizeof(image), at) != static_cast<ssize_t>(sizeof(image)) ||
        pg_fsync(fd) != 0) {
        FileError("write", path);
    }
    CloseTransientFile(fd);
}

void RemoveSlotRecord(const char* slot) {
    char path[MAXPGPATH];
    PathOf(slot, path);
    if (unlink(path) != 0 && errno != ENOENT) {
        ereport(LOG, (errcode_for_file_access(), errmsg("could not remove file \"%s\": %m", path)));
    }
}

void RemoveSlotRecordsExcept(Oid database, const char* const* keep, int keep_count) {
    struct stat status;
    if (stat(kDirectory, &status) != 0) {
        return;
    }
    char prefix[NAMEDATALEN];
    snprintf(prefix, sizeof(prefix), "bitvelocity_%u_", database);
    DIR* directory = AllocateDir(kDirectory);
    const dirent* entry = nullptr;
    while ((entry = ReadDir(directory, kDirectory)) != nullptr) {
        if (std::strncmp(entry->d_name, prefix, std::strlen(prefix)) != 0) {
            continue;
        }
        bool wanted = LookUpSlot(entry->d_name).exists;
        for (int i = 0; i < keep_count && !wanted; ++i) {
            wanted = std::strcmp(keep[i], entry->d_name) == 0;
        }
        if (!wanted) {
            RemoveSlotRecord(entry->d_name);
        }
    }
    FreeDir(directory);
}

}  // namespace bitvelocity::stream
