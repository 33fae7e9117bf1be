// Scopes: what must be undone, as objects. Acquired in the constructor, finished by Commit() where
// finishing can fail, undone in a noexcept destructor. Main thread.
#pragma once

#include <cstdint>

struct RelationData;
struct MemoryContextData;

namespace bitvelocity::pg {

// A memory context of its own, current while the scope lives.
class MemoryScope {
  public:
    explicit MemoryScope(const char* name);  // a literal
    ~MemoryScope() noexcept;
    MemoryScope(const MemoryScope&) = delete;
    MemoryScope& operator=(const MemoryScope&) = delete;
    void Reset();

  private:
    MemoryContextData* context_;
    MemoryContextData* previous_;
};

// A transaction of a background worker, with an active snapshot. Without Commit() it is aborted.
class TransactionScope {
  public:
    // One statement's snapshot at a time.
    TransactionScope();
    // One snapshot for all of it: XACT_REPEATABLE_READ (or another of xact.h).
    explicit TransactionScope(int isolation);
    ~TransactionScope() noexcept;
    TransactionScope(const TransactionScope&) = delete;
    TransactionScope& operator=(const TransactionScope&) = delete;
    void Commit();

  private:
    bool open_ = true;
};

// A subtransaction around what may fail and be survived: without Commit() it is rolled back.
class SubtransactionScope {
  public:
    SubtransactionScope();
    ~SubtransactionScope() noexcept;
    SubtransactionScope(const SubtransactionScope&) = delete;
    SubtransactionScope& operator=(const SubtransactionScope&) = delete;
    void Commit();

  private:
    MemoryContextData* memory_;
    void* owner_;
    bool open_ = true;
};

// Acts as another role in a security-restricted operation (user expressions, users' tables): no SET
// ROLE out of it, search_path pinned to pg_catalog, pg_temp.
class OwnerScope {
  public:
    explicit OwnerScope(std::uint32_t role);
    ~OwnerScope() noexcept;
    OwnerScope(const OwnerScope&) = delete;
    OwnerScope& operator=(const OwnerScope&) = delete;

  private:
    std::uint32_t saved_role_;
    int saved_context_;
    int nest_level_;
};

// Acts as the owner of the extension, for writes to the catalogue tables of schema bitvelocity and
// nothing else: no user expression may run inside.
class CatalogScope {
  public:
    CatalogScope();
    ~CatalogScope() noexcept;
    CatalogScope(const CatalogScope&) = delete;
    CatalogScope& operator=(const CatalogScope&) = delete;

  private:
    std::uint32_t saved_role_;
    int saved_context_;
    int nest_level_;
};

// An open relation with its lock kept to the end of the transaction.
class RelationRef {
  public:
    RelationRef(std::uint32_t relation, int lock_mode);
    ~RelationRef() noexcept;
    RelationRef(const RelationRef&) = delete;
    RelationRef& operator=(const RelationRef&) = delete;
    [[nodiscard]] RelationData* get() const { return relation_; }

  private:
    RelationData* relation_;
};

// Throws 42501 unless the current user owns the table (or is a superuser).
void RequireOwner(std::uint32_t relation);

// The owner of the relation.
[[nodiscard]] std::uint32_t OwnerOf(std::uint32_t relation);

// OID of the extension, InvalidOid where it is not installed in this database.
[[nodiscard]] std::uint32_t ExtensionOid();

}  // namespace bitvelocity::pg
