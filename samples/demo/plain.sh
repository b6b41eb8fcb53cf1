# The path of a change where repositories are folders: people propose and approve with signed statements, and read
# the report in the repository itself. Sourced by samples/demo.sh.
# shellcheck shell=bash

# Where the report of the commit that is checked out is kept, in the repository itself.
# shellcheck disable=SC2016
report='refs/countersign/reports/$(git rev-parse HEAD):staging.md'

# A person with a key and a clone of the application, who signs what they commit and say.
person() {
    git clone -q repositories/shop.git "$1/shop" &&
        git -C "$1/shop" config user.name "$1" &&
        git -C "$1/shop" config user.email "$1@example.com" &&
        git -C "$1/shop" config gpg.format ssh &&
        git -C "$1/shop" config user.signingKey "$work/$1/key" &&
        git -C "$1/shop" config commit.gpgSign true &&
        git -C "$1/shop" config countersign.repository local/shop &&
        git -C "$1/shop" config --add remote.origin.fetch '+refs/countersign/reports/*:refs/countersign/reports/*' &&
        git -C "$1/shop" config alias.report "!git fetch -q && git show $report"
}

quietly 'person ada && person grace'
means 'The first commit of the application was accepted with the control repository, so it runs. Every later' \
    'one needs its approvals.'

step 'A change that policy denies'
as ada "$work/ada/shop"
edit deploy/staging/deployment.yaml 's|image: .*|image: registry.example.com/shop/web:1.5.0|'
run "git commit -qam 'Use version 1.5.0' && countersign propose"
shows '^proposed'
run "git config --get alias.report"
shows '^!git fetch'
until_it_says 'images.pinned' 'git report'
shows '^# .*: denied' '^- .*deployment.yaml:[0-9]+' '^Why: A tag' '^What to do: Write the image' '^Rule `images.pinned'
means 'The report, which Countersign writes into the repository, names the rule, the file and the line, says why,' \
    'and what to do.'

step 'The same change as policy wants it: reviewed, merged, deployed'
digest=4a1c4b21597c1b4415bdbecb28a3296c6b5e23ca4f9feeb599860a1dac6a0108
edit deploy/staging/deployment.yaml "s|web:1.5.0|web:1.5.0@sha256:$digest|"
run 'git commit -qa --amend --no-edit && countersign propose'
until_it_says 'only reviews are missing' 'git report'
shows '^# .*: waiting for reviews' '^- .*who can approve: grace'
run 'countersign approve HEAD'
until_it_says 'but signed the proposal' 'git report'
shows '^- .*who can approve: grace'
means 'Who proposes a change cannot approve it.'
change=$(git rev-parse --short HEAD)
as grace "$work/grace/shop"
run "git fetch -q && git diff --stat origin/main $change && countersign approve $change"
shows '^approved'
as ada "$work/ada/shop"
until_it_says 'would allow' 'git report'
shows '^# .*: would be allowed' '^- ada .*' '^- grace .*'
run 'git push -q origin HEAD:main'
until_it_says 'Deployed and healthy' 'git report'
shows '^# .*: deployed' '^all 3 objects'
as ops "$work"
run "$look"
says 'shop/web:1.5.0@'
shows '^shop-staging/web'
means 'The merge was decided again, logged, authorized for this one cluster, applied, and followed until healthy.'

step 'An unapproved commit cannot ride along with an approved one'
as ada "$work/ada/shop"
run 'git switch -q -c greeting'
edit deploy/staging/configmap.yaml 's|greeting: .*|greeting: Good morning|'
run "git commit -qam 'Greet politely' && countersign propose"
greeting=$(git rev-parse --short HEAD)
as grace "$work/grace/shop"
run "git fetch -q && countersign approve $greeting"
shows '^approved'
as ada "$work/ada/shop"
until_it_says 'would allow' 'git report'
shows '^# .*: would be allowed'
run 'git switch -q -C main origin/main'
edit deploy/staging/deployment.yaml 's|replicas: .*|replicas: 5|'
run "git commit -qam 'Run five replicas'"
hurried=$(git rev-parse --short=8 HEAD)
run "git merge -q --no-ff -m 'Merge the greeting' greeting && git push -q origin main"
until_it_says 'approvals.explained' 'git report'
says "commit $hurried (Run five replicas) rode along"
shows '^# .*: denied' '^- commit .* rode along' '^What to do: Propose the commit'
means 'The change is measured from what was last authorized, and each commit in it must have been reviewed.'
run "git revert --no-edit $hurried && git push -q origin main"
until_it_says 'Deployed and healthy' 'git report'
shows '^# .*: deployed' '^all 3 objects'
means 'Without the commit that rode along, exactly what grace reviewed is left, and it is deployed.'
