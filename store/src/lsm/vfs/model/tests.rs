//! The rules of the model, each as a fact; and the model beside the system's own disk.

use proptest::prelude::*;

use super::super::SystemDisk;
use super::*;

const LOST: Remains = Remains { data: Data::Lost, names: Names::Lost };
const KEPT: Remains = Remains { data: Data::Kept, names: Names::Kept };

/// A disk with the directory `d`.
fn disk() -> ModelDisk {
    let disk = ModelDisk::new();
    disk.create_directory(Path::new("d")).unwrap();
    disk
}

fn put(disk: &dyn Vfs, path: &str, bytes: &[u8]) -> Arc<dyn VfsFile> {
    let file = disk.create(Path::new(path)).unwrap();
    file.write_at(bytes, 0).unwrap();
    file
}

fn put_durably(disk: &dyn Vfs, path: &str, bytes: &[u8]) -> Arc<dyn VfsFile> {
    let file = put(disk, path, bytes);
    file.sync().unwrap();
    disk.sync_directory(Path::new("d")).unwrap();
    file
}

fn files(disk: &ModelDisk) -> Vec<(String, Vec<u8>)> {
    let name = |path: PathBuf| path.to_str().unwrap().to_owned();
    disk.files().into_iter().map(|(path, bytes)| (name(path), bytes)).collect()
}

fn file(path: &str, bytes: &[u8]) -> (String, Vec<u8>) {
    (path.to_owned(), bytes.to_vec())
}

#[test]
fn what_was_not_synced_is_lost_and_what_was_is_kept() {
    let disk = disk();
    let one = put_durably(&disk, "d/one", b"abc");
    one.write_at(b"X", 1).unwrap();
    one.write_at(b"Y", 5).unwrap();
    assert_eq!(files(&disk), [file("d/one", b"aXc\0\0Y")]);
    assert_eq!(files(&disk.after_power_loss(LOST)), [file("d/one", b"abc")]);
    assert_eq!(files(&disk.after_power_loss(KEPT)), [file("d/one", b"aXc\0\0Y")]);
    one.sync().unwrap();
    assert_eq!(files(&disk.after_power_loss(LOST)), [file("d/one", b"aXc\0\0Y")]);
}

#[test]
fn a_synced_file_without_a_synced_name_is_gone() {
    let disk = disk();
    put(&disk, "d/one", b"abc").sync().unwrap();
    assert_eq!(files(&disk.after_power_loss(LOST)), []);
    disk.sync_directory(Path::new("d")).unwrap();
    assert_eq!(files(&disk.after_power_loss(LOST)), [file("d/one", b"abc")]);
}

#[test]
fn a_rename_is_not_durable_before_its_directory_is_synced() {
    let disk = disk();
    put_durably(&disk, "d/old", b"old");
    put_durably(&disk, "d/new", b"new");
    disk.rename(Path::new("d/new"), Path::new("d/old")).unwrap();
    assert_eq!(files(&disk), [file("d/old", b"new")]);
    let before = [file("d/new", b"new"), file("d/old", b"old")];
    assert_eq!(files(&disk.after_power_loss(LOST)), before);
    disk.sync_directory(Path::new("d")).unwrap();
    assert_eq!(files(&disk.after_power_loss(LOST)), [file("d/old", b"new")]);
}

#[test]
fn a_file_renamed_before_it_was_synced_may_be_found_empty() {
    let disk = disk();
    put_durably(&disk, "d/old", b"old");
    put(&disk, "d/new", b"new");
    disk.rename(Path::new("d/new"), Path::new("d/old")).unwrap();
    let empty = Remains { data: Data::Lost, names: Names::Kept };
    assert_eq!(files(&disk.after_power_loss(empty)), [file("d/old", b"")]);
    let hole = Remains { data: Data::Zeros, names: Names::Kept };
    assert_eq!(files(&disk.after_power_loss(hole)), [file("d/old", b"\0\0\0")]);
}

#[test]
fn names_are_kept_in_the_order_they_were_made() {
    let disk = disk();
    put_durably(&disk, "d/zero", b"0");
    put(&disk, "d/one", b"1");
    disk.remove(Path::new("d/zero")).unwrap();
    let first = Remains { data: Data::Kept, names: Names::First(1) };
    let left = disk.after_power_loss(first);
    assert_eq!(files(&left), [file("d/one", b"1"), file("d/zero", b"0")]);
}

#[test]
fn a_removed_file_is_read_by_those_who_have_it_open() {
    let disk = disk();
    let one = put_durably(&disk, "d/one", b"abc");
    disk.remove(Path::new("d/one")).unwrap();
    let mut bytes = [0; 3];
    one.read_at(&mut bytes, 0).unwrap();
    assert_eq!(&bytes, b"abc");
    assert_eq!(disk.open(Path::new("d/one")).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(files(&disk.after_power_loss(LOST)), [file("d/one", b"abc")], "not yet for good");
}

#[test]
fn allocated_room_is_zeros_and_durable_only_with_a_sync() {
    let disk = disk();
    let one = put_durably(&disk, "d/one", b"abc");
    one.allocate(5).unwrap();
    one.allocate(2).unwrap();
    assert_eq!(files(&disk), [file("d/one", b"abc\0\0")]);
    assert_eq!(files(&disk.after_power_loss(LOST)), [file("d/one", b"abc")]);
    one.sync().unwrap();
    assert_eq!(files(&disk.after_power_loss(LOST)), [file("d/one", b"abc\0\0")]);
}

#[test]
fn a_file_made_again_is_empty_but_its_old_bytes_may_come_back() {
    let disk = disk();
    put_durably(&disk, "d/one", b"abc");
    let one = disk.create(Path::new("d/one")).unwrap();
    assert_eq!(files(&disk), [file("d/one", b"")]);
    assert_eq!(files(&disk.after_power_loss(LOST)), [file("d/one", b"abc")]);
    one.sync().unwrap();
    assert_eq!(files(&disk.after_power_loss(LOST)), [file("d/one", b"")]);
}

#[test]
fn after_the_cut_everything_fails() {
    let disk = disk();
    let one = put(&disk, "d/one", b"abc");
    assert_eq!(disk.operations(), 2);
    disk.cut_after(3);
    one.write_at(b"X", 0).unwrap();
    for off in [
        one.write_at(b"Y", 0),
        one.read_at(&mut [0], 0),
        one.sync(),
        one.len().map(drop),
        disk.create(Path::new("d/two")).map(drop),
        disk.open(Path::new("d/one")).map(drop),
        disk.list(Path::new("d")).map(drop),
        disk.sync_directory(Path::new("d")),
    ] {
        assert_eq!(off.unwrap_err().to_string(), "power is off");
    }
    assert_eq!(disk.operations(), 3);
    assert_eq!(files(&disk.after_power_loss(KEPT)), [file("d/one", b"Xbc")]);
}

#[test]
fn a_failed_write_has_written_a_prefix() {
    let disk = disk();
    let one = put(&disk, "d/one", b"abcd");
    disk.fail_operation(2, ErrorKind::StorageFull);
    assert_eq!(one.write_at(b"WXYZ", 0).unwrap_err().kind(), ErrorKind::StorageFull);
    assert_eq!(files(&disk), [file("d/one", b"WXcd")]);
    one.write_at(b"!", 0).unwrap();
}

#[test]
fn after_a_failed_sync_a_later_one_says_yes_and_the_bytes_are_lost() {
    let disk = disk();
    let one = put_durably(&disk, "d/one", b"abc");
    one.write_at(b"XYZ", 0).unwrap();
    disk.fail_operation(disk.operations(), ErrorKind::Other);
    assert!(one.sync().is_err());
    one.sync().unwrap();
    assert_eq!(files(&disk), [file("d/one", b"XYZ")]);
    assert_eq!(files(&disk.after_power_loss(KEPT)), [file("d/one", b"abc")]);
}

#[test]
fn a_failed_rename_or_removal_changes_nothing() {
    let disk = disk();
    put_durably(&disk, "d/one", b"abc");
    for operation in disk.operations()..disk.operations() + 2 {
        disk.fail_operation(operation, ErrorKind::Other);
    }
    assert!(disk.rename(Path::new("d/one"), Path::new("d/two")).is_err());
    assert!(disk.remove(Path::new("d/one")).is_err());
    assert_eq!(files(&disk.after_power_loss(KEPT)), [file("d/one", b"abc")]);
}

#[test]
fn damage_is_durable_and_no_operation() {
    let disk = disk();
    put_durably(&disk, "d/one", b"abc");
    let before = disk.operations();
    disk.flip_bit(Path::new("d/one"), 8);
    disk.truncate(Path::new("d/one"), 2);
    assert_eq!(disk.durable_files(), [(PathBuf::from("d/one"), b"ac".to_vec())]);
    assert_eq!(disk.operations(), before);
}

#[test]
fn a_disk_is_locked_once_and_power_loss_frees_it() {
    let disk = disk();
    let path = Path::new("d/LOCK");
    let held = disk.lock(path).unwrap();
    assert!(held.is_some());
    assert!(disk.lock(path).unwrap().is_none());
    assert!(disk.after_power_loss(KEPT).lock(path).unwrap().is_some());
    drop(held);
    assert!(disk.lock(path).unwrap().is_some());
}

#[test]
fn files_dumped_and_restored_are_the_same_disk() {
    let disk = disk();
    put_durably(&disk, "d/one", b"abc");
    put(&disk, "d/two", b"x");
    let restored = ModelDisk::from_files(disk.durable_files());
    assert_eq!(restored.files(), [(PathBuf::from("d/one"), b"abc".to_vec())]);
    assert_eq!(restored.durable_files(), restored.files());
}

/// One step of a random script, on files `0` to `2` of one directory.
#[derive(Clone, Debug)]
enum Step {
    Create(u8),
    Write(u8, Vec<u8>, u64),
    Read(u8, usize, u64),
    Allocate(u8, u64),
    SetLen(u8, u64),
    Sync(u8),
    Rename(u8, u8),
    Remove(u8),
}

fn step() -> impl Strategy<Value = Step> {
    let bytes = || prop::collection::vec(1u8.., 0..1200);
    prop_oneof![
        (0u8..3).prop_map(Step::Create),
        (0u8..3, bytes(), 0u64..1200).prop_map(|(file, bytes, at)| Step::Write(file, bytes, at)),
        (0u8..3, 0usize..1200, 0u64..1200)
            .prop_map(|(file, bytes, at)| Step::Read(file, bytes, at)),
        (0u8..3, 1u64..2400).prop_map(|(file, length)| Step::Allocate(file, length)),
        (0u8..3, 0u64..2400).prop_map(|(file, length)| Step::SetLen(file, length)),
        (0u8..3).prop_map(Step::Sync),
        (0u8..3, 0u8..3).prop_map(|(from, to)| Step::Rename(from, to)),
        (0u8..3).prop_map(Step::Remove),
    ]
}

/// What a step answers, in a form that two disks can be compared by.
fn run(disk: &dyn Vfs, directory: &Path, step: &Step) -> Result<Vec<u8>, ErrorKind> {
    let path = |file: &u8| directory.join(file.to_string());
    let open = |file: &u8| disk.open(&path(file));
    let done = match step {
        Step::Create(file) => disk.create(&path(file)).map(drop),
        Step::Write(file, bytes, at) => open(file).and_then(|it| it.write_at(bytes, *at)),
        Step::Read(file, bytes, at) => {
            let mut buffer = vec![7; *bytes];
            let read = open(file).and_then(|it| it.read_at(&mut buffer, *at));
            return read.map(|()| buffer).map_err(|error| error.kind());
        }
        Step::Allocate(file, length) => open(file).and_then(|it| it.allocate(*length)),
        Step::SetLen(file, length) => open(file).and_then(|it| it.set_len(*length)),
        Step::Sync(file) => open(file).and_then(|it| it.sync()),
        Step::Rename(from, to) => disk.rename(&path(from), &path(to)),
        Step::Remove(file) => disk.remove(&path(file)),
    };
    done.map(|()| Vec::new()).map_err(|error| error.kind())
}

/// All the files of a directory, by name.
fn contents(disk: &dyn Vfs, directory: &Path) -> Vec<(String, Vec<u8>)> {
    let read = |name: String| {
        let file = disk.open(&directory.join(&name)).unwrap();
        let mut bytes = vec![0; usize::try_from(file.len().unwrap()).unwrap()];
        file.read_at(&mut bytes, 0).unwrap();
        (name, bytes)
    };
    disk.list(directory).unwrap().into_iter().map(read).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_model_answers_as_the_systems_own_disk_does(steps in prop::collection::vec(step(), 1..40)) {
        let real = tempfile::tempdir().unwrap();
        let model = disk();
        for step in &steps {
            let answers = [run(&SystemDisk, real.path(), step), run(&model, Path::new("d"), step)];
            prop_assert_eq!(&answers[0], &answers[1], "{:?}", step);
        }
        let found = [contents(&SystemDisk, real.path()), contents(&model, Path::new("d"))];
        prop_assert_eq!(&found[0], &found[1]);
    }

    #[test]
    fn a_disk_with_everything_synced_survives_any_power_loss(
        steps in prop::collection::vec(step(), 1..40),
    ) {
        let model = disk();
        for step in &steps {
            let _answer = run(&model, Path::new("d"), step);
        }
        for name in model.list(Path::new("d")).unwrap() {
            model.open(&Path::new("d").join(name)).unwrap().sync().unwrap();
        }
        model.sync_directory(Path::new("d")).unwrap();
        for remains in Remains::all() {
            prop_assert_eq!(model.after_power_loss(remains).files(), model.files(), "{}", remains);
        }
    }
}
