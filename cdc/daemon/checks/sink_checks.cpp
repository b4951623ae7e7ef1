#include "cdc/daemon/checks/sink_checks.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <exception>
#include <filesystem>
#include <system_error>
#include <variant>

#include "cdc/daemon/instance_lock.hpp"
#include "cdc/daemon/retry_policy.hpp"
#include "cdc/sink.hpp"
#include "sinks/kafka_checks.hpp"

namespace pgcourier::cdc::daemon {

namespace {

// The folder itself, or the nearest one above it: where run would create it.
std::filesystem::path existing_part(std::filesystem::path folder) {
  std::error_code ignored;
  folder = std::filesystem::absolute(folder, ignored);
  while (!std::filesystem::exists(folder, ignored) && folder.has_relative_path()) {
    folder = folder.parent_path();
  }
  return folder;
}

// Empty: this user may; else why not.
std::string refusal(const std::filesystem::path& path, int access) {
  if (::faccessat(AT_FDCWD, path.c_str(), access, AT_EACCESS) == 0) return {};
  return path.string() + ": " + std::generic_category().message(errno);
}

// What `run` would end with.
int exit_code_of(const sinks::KafkaFinding& found) {
  const auto failure = found.failure.value_or(SinkFailure::internal);
  return next_step(std::make_exception_ptr(SinkError(failure, found.what)), false).exit_code;
}

void check_folder(const std::string& name, const std::filesystem::path& folder,
                  const std::filesystem::path& lock, const std::string& slot, Findings& findings) {
  const auto existing = existing_part(folder);
  std::error_code ignored;
  if (!std::filesystem::is_directory(existing, ignored)) {
    findings.error(name, exit_not_permitted, existing.string() + " is not a folder",
                   "remove it, or choose another folder");
    return;
  }
  auto refused = refusal(existing, W_OK | X_OK);
  if (refused.empty() && std::filesystem::exists(lock, ignored)) {
    refused = refusal(lock, R_OK | W_OK);
  }
  if (!refused.empty()) {
    findings.error(name, exit_not_permitted, refused, "make it writable for this user");
    return;
  }
  const auto holder = InstanceLock::find_holder(lock);
  if (holder && !holder->slot.empty() && holder->slot != slot) {
    findings.error(name, exit_settings,
                   lock.string() + " is locked by process " + holder->pid +
                       ", which feeds from the slot " + holder->slot,
                   "give each pipeline a name and a folder of its own");
    return;
  }
  findings.ok(name, folder.string() + (existing == folder ? " is writable" : " will be created") +
                        (holder ? ", in use by process " + holder->pid : ""));
}

void check_kafka_sink(const config::KafkaSettings& kafka, const config::Settings& settings,
                      const TableNames& tables, Findings& findings) {
  const std::string name = "sink " + kafka.id;
  for (auto& found : sinks::check_kafka(kafka, settings.name, tables)) {
    switch (found.severity) {
      case sinks::KafkaFinding::Severity::fine:
        findings.ok(name, std::move(found.what));
        break;
      case sinks::KafkaFinding::Severity::warning:
        findings.warning(name, std::move(found.what), std::move(found.remedy));
        break;
      case sinks::KafkaFinding::Severity::error:
        findings.error(name, exit_code_of(found), std::move(found.what), std::move(found.remedy));
    }
  }
}

}  // namespace

void check_sinks(const config::Settings& settings, const TableNames& tables, Findings& findings) {
  const auto& slot = settings.source.slot;
  const std::string lock_name = settings.name + ".lock";
  check_folder("state_dir", settings.state_dir, settings.state_dir / lock_name, slot, findings);
  for (const auto& sink : settings.sinks) {
    if (const auto* files = std::get_if<config::FilesSettings>(&sink)) {
      check_folder("sink " + files->id, files->directory, files->directory / lock_name, slot,
                   findings);
    } else if (const auto* kafka = std::get_if<config::KafkaSettings>(&sink)) {
      check_kafka_sink(*kafka, settings, tables, findings);
    }
  }
}

}  // namespace pgcourier::cdc::daemon
