-- The tables of simulated clusters.

CREATE TABLE IF NOT EXISTS simulated_clusters (
    name TEXT PRIMARY KEY,
    -- Of its kube-system namespace.
    uid TEXT NOT NULL,
    -- The newest resource version that was given out.
    version INTEGER NOT NULL,
    -- The time it was last advanced to, in milliseconds since 1970.
    now INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS simulated_objects (
    cluster TEXT NOT NULL,
    grp TEXT NOT NULL,
    kind TEXT NOT NULL,
    -- Empty for a kind that lives in no namespace.
    namespace TEXT NOT NULL,
    name TEXT NOT NULL,
    -- JSON, in the API version that it was last written in.
    object TEXT NOT NULL,
    PRIMARY KEY (cluster, grp, kind, namespace, name)
);
