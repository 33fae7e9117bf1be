#include "medallion/tasks.hpp"

#include <algorithm>

#include "medallion/rollup.hpp"
#include "pg/boundary.hpp"
#include "pg/postgres.hpp"

namespace bitvelocity::medallion {

namespace {

// One bounded step; returns whether there may be more.
bool Step(pg::SpiScope& spi, std::int64_t id, core::Lsn until, Progress& progress) {
    std::optional<Dataset> dataset = LockDataset(spi, id);
    if (!dataset || dataset->paused) {
        return false;
    }
    if (dataset->kind == "silver") {
        return RefreshSilverBatch(spi, *dataset, until, progress);
    }
    RefreshRollup(spi, *dataset, progress);
    return false;
}

void RecordError(std::int64_t id, const core::Error& error) {
    const core::Status recorded = pg::Catch([&]() {
        pg::TransactionScope transaction;
        {
            pg::SpiScope spi;
            const pg::CatalogScope catalog;
            std::string text = error.message;
            if (!error.detail.empty()) {
                text += "; " + error.detail;
            }
            spi.Execute(
                "UPDATE bitvelocity.dataset SET last_error = $2, "
                "last_error_at = clock_timestamp() WHERE dataset_id = $1",
                {pg::Param::Bigint(id), pg::Param::Text(text)});
        }
        transaction.Commit();
    });
    // The caller reports the first error; a second one while recording it says no more.
    static_cast<void>(recorded.ok());
}

void Refresh(pg::SpiScope& spi, const std::vector<Dataset>& all, const Dataset& dataset,
             core::Lsn until, int depth, Progress& progress) {
    if (depth > 64) {
        pg::Throw(core::kProgramLimitExceeded, "datasets depend on each other in a circle");
    }
    for (const Dataset& upstream : all) {
        const bool feeds = std::find(dataset.sources.begin(), dataset.sources.end(),
                                     upstream.target) != dataset.sources.end();
        if (feeds && upstream.id != dataset.id) {
            Progress ignored;
            Refresh(spi, all, upstream, until, depth + 1, ignored);
        }
    }
    while (Step(spi, dataset.id, until, progress)) {
        pg::Call([]() { CHECK_FOR_INTERRUPTS(); });
    }
}

}  // namespace

std::vector<core::Task> ListTasks() {
    pg::SpiScope spi;
    const std::vector<Dataset> datasets = AllDatasets(spi);
    std::vector<core::Task> tasks;
    for (const Dataset& dataset : datasets) {
        if (dataset.paused) {
            continue;
        }
        core::Task task;
        task.key = {kTaskKind, dataset.id};
        task.name = dataset.name;
        task.owner = dataset.owner;
        // A signal is lost when the server stops; nobody waits longer than this.
        task.every_us = 60'000'000;
        task.signals = dataset.sources;
        for (const Dataset& upstream : datasets) {
            if (std::find(dataset.sources.begin(), dataset.sources.end(), upstream.target) !=
                dataset.sources.end()) {
                task.after.push_back({kTaskKind, upstream.id});
            }
        }
        tasks.push_back(std::move(task));
    }
    return tasks;
}

void RunTask(const core::Task& task) {
    const core::Status status = pg::Catch([&]() {
        bool more = true;
        while (more) {
            pg::TransactionScope transaction;
            {
                pg::SpiScope spi;
                Progress progress;
                more = Step(spi, task.key.id, core::Lsn{}, progress);
            }
            transaction.Commit();
            pg::Call([]() { CHECK_FOR_INTERRUPTS(); });
        }
    });
    if (!status.ok()) {
        RecordError(task.key.id, status.error());
        throw pg::StatusError(status.error());
    }
}

Progress RefreshDataset(pg::SpiScope& spi, const Dataset& dataset, core::Lsn until) {
    Progress progress;
    Refresh(spi, AllDatasets(spi), dataset, until, 0, progress);
    return progress;
}

}  // namespace bitvelocity::medallion
