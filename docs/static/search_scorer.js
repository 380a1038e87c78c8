// How the site's search ranks what it finds; see html_search_scorer in conf.py.
const KINDS = { "tutorial": 15, "how-to/": 30, "runbooks/": 20, "reference/": 15, "explanation/": 0, "decisions/": -100 };

var Scorer = {
  // Takes [docname, title, anchor, description, score, file name, kind].
  score: ([page, , , , score]) => {
    const kind = Object.keys(KINDS).find((each) => page.startsWith(each));
    return score + (kind ? KINDS[kind] : 0);
  },

  // Sphinx's own values.
  objNameMatch: 11,
  objPartialMatch: 6,
  objPrio: { 0: 15, 1: 5, 2: -5 },
  objPrioDefault: 0,
  title: 15,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,
};
