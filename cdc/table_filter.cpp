#include "cdc/table_filter.hpp"

#include <re2/re2.h>

namespace pgcourier::cdc {

struct TableFilter::Patterns {
  std::vector<std::unique_ptr<re2::RE2>> expressions;
};

namespace {

std::string from_glob(std::string_view glob) {
  std::string expression = "(?s)";  // a quoted name may hold a line end
  for (const char c : glob) {
    if (c == '*') {
      expression += ".*";
    } else if (c == '?') {
      expression += '.';
    } else {
      expression += re2::RE2::QuoteMeta(re2::StringPiece(&c, 1));
    }
  }
  return expression;
}

}  // namespace

TableFilter::TableFilter(const std::vector<std::string>& patterns)
    : patterns_(std::make_unique<Patterns>()) {
  constexpr std::string_view regex_prefix = "re:";
  for (const auto& pattern : patterns) {
    const bool is_regex = pattern.compare(0, regex_prefix.size(), regex_prefix) == 0;
    auto expression = std::make_unique<re2::RE2>(
        is_regex ? pattern.substr(regex_prefix.size()) : from_glob(pattern), re2::RE2::Quiet);
    if (!expression->ok()) {
      throw FilterError("source.tables: '" + pattern +
                        "' is not a regular expression of RE2: " + expression->error());
    }
    patterns_->expressions.push_back(std::move(expression));
  }
}

TableFilter::TableFilter(TableFilter&&) noexcept = default;
TableFilter& TableFilter::operator=(TableFilter&&) noexcept = default;
TableFilter::~TableFilter() = default;

bool TableFilter::passes(std::string_view schema, std::string_view table) const {
  if (patterns_->expressions.empty()) return true;
  std::string name(schema);
  name += '.';
  name += table;
  for (const auto& expression : patterns_->expressions) {
    if (re2::RE2::FullMatch(name, *expression)) return true;
  }
  return false;
}

}  // namespace pgcourier::cdc
