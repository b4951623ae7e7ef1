#include "config/load_settings.hpp"

#include <unistd.h>

#include <cstdlib>
#include <string>
#include <utility>

#include "config/effective_settings.hpp"
#include "config/mask_secrets.hpp"
#include "config/overrides.hpp"
#include "config/read_settings.hpp"
#include "config/replacement.hpp"
#include "config/setting_check.hpp"

namespace pgcourier::config {

Overrides process_overrides(std::vector<std::string> set) {
  Overrides overrides;
  overrides.set = std::move(set);
  overrides.environment = [](const char* variable) -> std::optional<std::string> {
    const char* value = std::getenv(variable);
    if (value == nullptr) return std::nullopt;
    return value;
  };
  overrides.variables = [] {
    std::vector<std::string> names;
    for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
      const std::string_view assignment = *entry;
      names.emplace_back(assignment.substr(0, assignment.find('=')));
    }
    return names;
  };
  return overrides;
}

LoadedSettings load_settings_text(std::string_view text, const std::string& name,
                                  const Overrides& overrides) {
  LoadedSettings loaded;
  Node root = parse_document(text, name);
  if (root.origin.empty()) root.origin = name;
  replace_variables(root, overrides.environment);
  apply_environment(root, overrides, loaded.warnings);
  apply_set(root, overrides);
  check_document(root);
  loaded.effective = with_defaults(root);
  loaded.settings = read_settings(loaded.effective, loaded.warnings);
  return loaded;
}

LoadedSettings load_settings(const std::filesystem::path& file, const Overrides& overrides) {
  return load_settings_text(read_text_file(file.string()), file.string(), overrides);
}

std::string show_settings(const LoadedSettings& loaded) {
  return emit_document(mask_document(loaded.effective));
}

}  // namespace pgcourier::config
