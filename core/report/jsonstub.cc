#include "report/json.h"
namespace promptsweep { std::string trial_significance_json(const TrialFindings&, bool) {return "{}";} std::string run_significance_json(const RunFindings&){return "{}";} std::string trial_costs_json(const TrialFindings&, const RunFindings&){return "{}";} std::string run_costs_json(const RunFindings&){return "{}";} }
